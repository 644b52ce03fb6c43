import type { MessageEntity } from "../../conversations/index.ts";

/**
 * Links in a message, where links are evidence. Pure: what a link leads to is never asked for, so an
 * address inside of somebody's own network is as good as any.
 */

/** Of one message; it becomes one file. */
export const MAX_LINKS = 10;
/** In characters, as it is written and as browsers dial it. */
export const MAX_LINK_LENGTH = 2_048;

export type LinkFault = "too-many" | "too-long" | "scheme" | "credentials" | "unseen" | "malformed";

/** What begins as an address does; a domain alone, or a word with a colon, is a word. */
const ADDRESS = /^(?:[a-z][a-z0-9+.-]*:\/\/|(?:javascript|vbscript|data|file|tg):)\S/i;
const WEB = /^https?:\/\//i;
/** Of what nobody has a site under, URL takes more: two addresses with only a comma between them are one to it. */
const HOST = /^(?:[\w.-]+|\[[\da-f:.]+\])$/;
/**
 * Also what stands for what cannot be stored (NUL, halves of characters). The joiners belong to words of some
 * scripts, and are dialed as their numbers.
 */
const UNSEEN = /(?![\u200C\u200D])[\p{Cc}\p{Cf}\p{Cs}\p{Zs}\p{Zl}\p{Zp}\uFFFD]/u;

/**
 * The links that a message consists of: addresses with nothing but spaces, commas and full stops between
 * them, and words behind which Telegram has one (Bot API: MessageEntity `text_link`), in their order. Each is
 * as browsers dial it (WHATWG URL), which is ASCII without spaces. One that is not taken has none of them
 * taken: it is answered why. Null: it is a message of words.
 */
export function findLinks(
  text: string,
  entities: readonly MessageEntity[] | null,
): { links: string[] } | { fault: LinkFault } | null {
  const addresses = addressesIn(text, entities ?? []);
  if (addresses === null || addresses.length === 0) return null;
  if (addresses.length > MAX_LINKS) return { fault: "too-many" };
  const links: string[] = [];
  for (const address of addresses) {
    const fault = faultOf(address);
    if (fault !== null) return { fault };
    links.push(new URL(address).href);
  }
  return { links };
}

/** Null: there is something else in it. */
function addressesIn(text: string, entities: readonly MessageEntity[]): string[] | null {
  const found: string[] = [];
  let at = 0;
  for (const { from, to, address } of hidden(text, entities)) {
    if (from < at) continue;
    const before = written(text.slice(at, from));
    if (before === null) return null;
    found.push(...before, address);
    at = to;
  }
  const rest = written(text.slice(at));
  return rest === null ? null : [...found, ...rest];
}

interface Hidden {
  from: number;
  to: number;
  address: string;
}

/** Behind words of the text, the first one first. */
function hidden(text: string, entities: readonly MessageEntity[]): Hidden[] {
  return entities
    .flatMap(({ type, offset, length, url }): Hidden[] => {
      if (type !== "text_link" || typeof url !== "string") return [];
      if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length)) return [];
      const [from, to] = [Number(offset), Number(offset) + Number(length)];
      return from >= 0 && from < to && to <= text.length ? [{ from, to, address: url }] : [];
    })
    .sort((one, other) => one.from - other.from);
}

/** Written out in the text. */
function written(text: string): string[] | null {
  const words = text
    .split(/\s+/)
    .map((word) => word.replace(/[.,;]+$/, ""))
    .filter((word) => word !== "");
  return words.every((word) => ADDRESS.test(word)) ? words : null;
}

function faultOf(address: string): LinkFault | null {
  if (address.length > MAX_LINK_LENGTH) return "too-long";
  if (UNSEEN.test(address)) return "unseen";
  if (!WEB.test(address)) return "scheme";
  if (!URL.canParse(address)) return "malformed";
  const { href, hostname, username, password } = new URL(address);
  if (username !== "" || password !== "") return "credentials";
  if (!HOST.test(hostname)) return "malformed";
  return href.length > MAX_LINK_LENGTH ? "too-long" : null;
}
