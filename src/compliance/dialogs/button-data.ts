import { REQUEST_DATA } from "../../conversations/index.ts";

/**
 * What the buttons of dialogs carry: `hg:d:<token>:<version>:<action>[:<n>]`, at most 64 bytes (Bot API:
 * InlineKeyboardButton). Anybody can send anything in its place.
 */

/** Of a dialog's button, after `REQUEST_DATA`. */
export const DIALOG_DATA = "d:";
/** Begins the assessment of a risk; its id follows. */
const RISK_DATA = `${DIALOG_DATA}risk:`;

export interface Press {
  token: string;
  version: number;
  action: string;
  /** Of several that do the same, which; null: there is one. */
  n: number | null;
}

export const dataOf = ({ token, version, action, n }: Press): string =>
  `${REQUEST_DATA}${DIALOG_DATA}${token}:${version}:${action}${n === null ? "" : `:${n}`}`;

/** Data of a button that begins the assessment of a risk. */
export const assessData = (riskId: string): string => `${REQUEST_DATA}${RISK_DATA}${riskId}`;

const PRESS = /^d:([\w-]{16}):([1-9]\d{0,8}):([a-z][a-z-]{0,19})(?::(\d{1,3}))?$/;
const RISK = /^d:risk:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** `data` without `REQUEST_DATA`; null: not of this room's making. */
export function parseData(data: string): Press | { riskId: string } | null {
  const risk = RISK.exec(data)?.[1];
  if (risk !== undefined) return { riskId: risk };
  const [, token, version, action, n] = PRESS.exec(data) ?? [];
  if (token === undefined || version === undefined || action === undefined) return null;
  return { token, version: Number(version), action, n: n === undefined ? null : Number(n) };
}
