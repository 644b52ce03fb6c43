/**
 * Words of others in messages of ours, as Telegram's HTML (Bot API: HTML style): shown as they are
 * written, in one line, without what turns the text around them.
 */
export const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

export const bold = (text: string): string => `<b>${escaped(text)}</b>`;
export const code = (text: string): string => `<code>${escaped(text)}</code>`;

/** Controls, and marks that change the direction of what follows. */
const UNSHOWN = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u202A-\u202E\u2066-\u2069]+/gu;

/** In one line, of at most `most` characters as people count them. Not escaped yet. */
export function inLine(text: string, most = 90): string {
  const line = text.replace(UNSHOWN, " ").replace(/\s+/gu, " ").trim();
  const characters = Array.from(line);
  return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : line;
}

/** To the minute: 2026-07-14 10:05 UTC. */
export const minuteOf = (time: Date): string =>
  `${time.toISOString().slice(0, 16).replace("T", " ")} UTC`;
