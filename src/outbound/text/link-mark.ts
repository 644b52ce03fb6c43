import type { Mark } from "./message-entity.ts";

const MAX_URL = 2_048;

/**
 * What a link becomes: a mention of a person for `tg://user?id=…`, a link for http, https and tg.
 * Null for everything else, relative addresses and scripts among it: the Bot API would drop the
 * link in silence, or make it another (`mailto:` counts as a user of a host there).
 */
export function linkMark(url: string): Mark | null {
  const person = /^tg:\/\/user\?id=([1-9][0-9]{0,15})$/i.exec(url)?.[1];
  if (person !== undefined) return { type: "text_mention", user: { id: Number(person) } };
  if (url.length > MAX_URL || /[\s\p{Cc}]/u.test(url)) return null;
  return /^(?:https?:\/\/[^/?#]|tg:\/\/.)/i.test(url) ? { type: "text_link", url } : null;
}

/** What stands behind the words of a link that is none: its address, for people to read. */
export function addressBehind(url: string, words: string): string {
  const address = url.replace(/^(?:mailto|tel):/i, "");
  return address === "" || words.includes(address) ? "" : ` (${address})`;
}
