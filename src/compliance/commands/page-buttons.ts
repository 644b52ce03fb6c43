import { REQUEST_DATA, type ReplyButton } from "../../conversations/index.ts";
import type { RiskLevel } from "../../register/index.ts";

/** What data of this room's buttons goes on with. */
export const LIST_DATA = "l:";

/**
 * What a button asks for. `shownId` is the message that it stands under, which is turned over; whether
 * it is, and who may, is looked up at each press: data is forgeable.
 */
export type Press =
  | { kind: "help" }
  /** Pages count from 0. */
  | { kind: "frameworks"; page: number; shownId: string }
  | { kind: "framework"; frameworkId: string; shownId: string }
  | { kind: "risks"; level: RiskLevel; page: number; shownId: string };

const LEVELS: Record<string, RiskLevel> = {
  c: "critical",
  h: "high",
  m: "medium",
  l: "low",
};
const letterOf = (level: RiskLevel) => level.slice(0, 1);

/** Nobody turns so many. */
const MAX_PAGE = 9_999;

/** At most 64 bytes (Bot API: InlineKeyboardButton). */
export function dataOf(press: Press): string {
  return REQUEST_DATA + LIST_DATA + bodyOf(press);
}

function bodyOf(press: Press): string {
  switch (press.kind) {
    case "help":
      return "h";
    case "frameworks":
      return `c:${press.page}:${shortOf(press.shownId)}`;
    case "framework":
      return `f:${shortOf(press.frameworkId)}:${shortOf(press.shownId)}`;
    case "risks":
      return `r:${letterOf(press.level)}:${press.page}:${shortOf(press.shownId)}`;
  }
}

/** What data says, from behind `LIST_DATA` on; null: no button of ours says so. */
export function readPress(data: string): Press | null {
  const [kind, ...rest] = data.split(":");
  if (kind === "h") return rest.length === 0 ? { kind: "help" } : null;
  const shownId = uuidOf(rest.pop());
  if (shownId === null) return null;
  if (kind === "c" && rest.length === 1) {
    const page = pageOf(rest[0]);
    return page === null ? null : { kind: "frameworks", page, shownId };
  }
  if (kind === "f" && rest.length === 1) {
    const frameworkId = uuidOf(rest[0]);
    return frameworkId === null ? null : { kind: "framework", frameworkId, shownId };
  }
  if (kind === "r" && rest.length === 2) {
    const [letter = "", number] = rest;
    const level = Object.hasOwn(LEVELS, letter) ? LEVELS[letter] : undefined;
    const page = pageOf(number);
    return level === undefined || page === null ? null : { kind: "risks", level, page, shownId };
  }
  return null;
}

/** To the page before and the one after; none where there is one page only. */
export function turning(
  { page, pages }: { page: number; pages: number },
  press: (page: number) => Press,
): ReplyButton[][] {
  const row: ReplyButton[] = [];
  if (page > 0) row.push({ text: "◀", data: dataOf(press(page - 1)) });
  if (page + 1 < pages) row.push({ text: "▶", data: dataOf(press(page + 1)) });
  return row.length === 0 ? [] : [row];
}

function pageOf(text: string | undefined): number | null {
  if (text === undefined || !/^\d{1,4}$/.test(text)) return null;
  return Math.min(Number(text), MAX_PAGE);
}

/** In 22 characters instead of 36. */
const shortOf = (uuid: string) =>
  Buffer.from(uuid.replaceAll("-", ""), "hex").toString("base64url");

function uuidOf(short: string | undefined): string | null {
  if (short === undefined || !/^[A-Za-z0-9_-]{22}$/.test(short)) return null;
  const hex = Buffer.from(short, "base64url").toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
