import type { Button } from "../outbound/index.ts";
import type { Lead } from "./leads.ts";

/** What approvers are told in Telegram, and what pressing a button answers. Plain text. */

/** Bot API: sendMessage. In UTF-16 units. */
const MAX_TEXT = 4_096;
const SHORTENED = "\n…\n(Shortened. Read it whole, and approve it, through the API.)";
const ATTACHED = "\n\n(With more than text, which is not shown here. Approve it through the API.)";

export interface Asking {
  ruleName: string;
  needed: number;
  /** Null: not known. */
  author: string | null;
  chatId: string;
  chatTitle: string | null;
  /** As it is sent; how it is marked up is not shown, but for where it leads. */
  text: string;
  buttons: Button[][] | null;
  /** What its words don't say themselves. */
  leads: Lead[];
  /** Something other than a text is sent. */
  hasContent: boolean;
  /** Files of evidence that it carries; `sha256` in hex. */
  files: Array<{ name: string; sizeBytes: number; sha256: string }>;
  /** It stands for all of a broadcast: for so many chats; null: it does not. */
  broadcastTo: number | null;
  sendAt: Date | null;
  /** How it is sent, beside its words. */
  delivery: Delivery;
  expiresAt: Date;
}

/** What of a message's delivery changes what its readers see. Null, false: nothing. */
export interface Delivery {
  replyTo: string | null;
  threadId: string | null;
  isOfBusiness: boolean;
  deleteAfterS: number | null;
  isSilent: boolean;
  isProtected: boolean;
}

function linesOf(delivery: Delivery): string[] {
  const { replyTo, threadId, isOfBusiness, deleteAfterS, isSilent, isProtected } = delivery;
  return [
    threadId === null ? [] : [`In topic: ${threadId}`],
    replyTo === null ? [] : [`In reply to: message ${replyTo} there`],
    isOfBusiness ? ["In the name of: the business account"] : [],
    deleteAfterS === null ? [] : [`Deleted again: ${deleteAfterS} s after it was sent`],
    isSilent ? ["Without a sound"] : [],
    isProtected ? ["Not to be forwarded or saved"] : [],
  ].flat();
}

const counted = (chats: number): string =>
  `${chats.toLocaleString("en-US")} ${chats === 1 ? "chat" : "chats"}`;

/** So that an album's are all told, with their hashes. */
const MAX_FILE_NAME = 60;

const fileLinesOf = (files: Asking["files"]): string[] =>
  files.flatMap(({ name, sizeBytes, sha256 }) => [
    `File of evidence: ${line(name, MAX_FILE_NAME)} (${sizeBytes} bytes)`,
    `SHA-256: ${sha256}`,
  ]);

const minute = (time: Date): string => `${time.toISOString().slice(0, 16).replace("T", " ")} UTC`;

/** `isWhole`: all that is sent is shown, so that it can be approved by who sees this. */
export function noticeOf(asking: Asking): { text: string; isWhole: boolean } {
  const { chatId, chatTitle, broadcastTo, sendAt, hasContent } = asking;
  const chat = chatTitle === null ? chatId : `${line(chatTitle)} (${chatId})`;
  const head = [
    `Approval is needed: ${line(asking.ruleName)}`,
    `From: ${line(asking.author ?? "unknown")}`,
    `To: ${broadcastTo === null ? chat : `${counted(broadcastTo)} of a broadcast, first ${chat}`}`,
    ...linesOf(asking.delivery),
    ...fileLinesOf(asking.files),
    `Goes out: ${sendAt === null ? "once approved" : minute(sendAt)}`,
    `To be decided by: ${minute(asking.expiresAt)}`,
    ...(asking.needed > 1 ? [`Approvals needed: ${asking.needed}`] : []),
  ].join("\n");
  const buttons = (asking.buttons ?? [])
    .flat()
    .map(({ text: label, url, data = "" }) => ({ label, to: url ?? `answers ${data}` }));
  const leads = [...asking.leads, ...buttons].map(({ label, to }) =>
    `[${line(label)}] ${to}`.trimEnd(),
  );
  const shown = leads.length === 0 ? asking.text : `${asking.text}\n\n${leads.join("\n")}`;
  const foot = hasContent ? ATTACHED : "";
  const whole = `${head}\n\n${shown}${foot}`;
  if (whole.length <= MAX_TEXT) return { text: whole, isWhole: !hasContent };
  const room = MAX_TEXT - head.length - 2 - SHORTENED.length;
  return { text: `${head}\n\n${cut(shown, room)}${SHORTENED}`, isWhole: false };
}

/** A name, which must not look like lines of ours, nor turn around what stands behind it. */
const line = (name: string, most = 200): string =>
  cut(name.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, " "), most);

/** At most so many UTF-16 units, and no half of a character. */
const cut = (text: string, length: number): string =>
  text.slice(0, length).replace(/[\uD800-\uDBFF]$/, "");

export const DECIDE_BUTTONS = { approve: "Approve", reject: "Reject" } as const;

/** What shows where a button was pressed: at most 200 characters. */
export const ANSWERS = {
  approved: "Approved: it is on its way.",
  rejected: "Rejected: it is not sent.",
  noted: "Noted. One more approval is needed.",
  unknown: "This button is not valid.",
  "not-approver": "Only its approvers can decide this.",
  author: "Whoever wrote a message does not decide on it.",
  over: "This has been decided already.",
  expired: "It is too late: nobody decided in time.",
  changed: "The message was changed since. Look at the newest request.",
  again: "You have decided on this text already.",
} as const;

const MAX_REASON_SHOWN = 500;

export const decidedBy = (
  state: "approved" | "rejected",
  name: string,
  reason: string | null,
): string => {
  const word = state === "approved" ? "Approved" : "Rejected";
  return `${word} by ${name}${reason === null ? "." : `: ${cut(reason, MAX_REASON_SHOWN)}`}`;
};
export const NOT_DECIDED = "Nobody decided in time: it is not sent.";
