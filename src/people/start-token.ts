import { randomToken } from "../platform/index.ts";

/**
 * Tokens of person links. They have a prefix, so that one is known wherever it turns up: it is taken
 * out of whatever text is stored.
 */
const PREFIX = "hgl_";
/** Cut short or pasted into a sentence: rather too much is taken out than too little. */
const ANYWHERE = /hgl_[A-Za-z0-9_-]+/g;
const MASK = "…";

/** 47 characters of A-Z a-z 0-9 _ - (Bot API: a deep link's `start` has at most 64 of those). */
export function newStartToken(): string {
  return PREFIX + randomToken();
}

/** What follows `/start`, where it is a token or was meant to be one; null: it is something else. */
export function findStartToken(argument: string): string | null {
  return argument.startsWith(PREFIX) ? argument : null;
}

/** `text` with a mark in the place of every token; the same string where there is none. */
export function withoutStartTokens(text: string): string {
  return text.includes(PREFIX) ? text.replace(ANYWHERE, MASK) : text;
}

/** Whether a token may stand in these bytes of JSON, which has no need to escape any of its characters. */
export function holdsStartToken(json: Buffer): boolean {
  return json.includes(PREFIX);
}
