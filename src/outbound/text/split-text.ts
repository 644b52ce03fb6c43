import type { FormattedText, MessageEntity } from "./message-entity.ts";
import { barriersOf, MID_CHARACTER } from "./split-barriers.ts";
import { TextError } from "./text-error.ts";

/** Bot API: sendMessage, 1–4096 UTF-16 units after entities are parsed. */
export const MAX_PART_LENGTH = 4_096;
/** Telegram takes no more, and drops the rest in silence. */
export const MAX_PART_ENTITIES = 100;
/** Less than a character may have. */
const MIN_PART_LENGTH = 2;

/** A part: from where to where it goes in the text, in UTF-16 units. */
export type Cut = readonly [start: number, end: number];

/** What stands at a cut, the better the higher. */
const PARAGRAPH = 4;
const LINE = 3;
const SENTENCE = 2;
const WORD = 1;

/**
 * Where a text is cut so that no part has more than `maxLength` UTF-16 units, nor more entities than
 * Telegram takes: after a paragraph, else a line, a sentence, a word, and there rather in the second
 * half of a part. Never inside an entity or an address that fits into a part, nor inside a grapheme
 * that does; what does not fit is cut like other text. White space at a cut is in no part. No part is
 * empty: none of a text without anything to be seen. A `maxLength` below 2 counts as 2.
 *
 * Throws `TextError` where there would be more than `maxParts`.
 */
export function cutText(
  whole: FormattedText,
  maxLength = MAX_PART_LENGTH,
  maxParts = Number.POSITIVE_INFINITY,
): Cut[] {
  const { text, entities } = whole;
  const max = Math.max(MIN_PART_LENGTH, maxLength);
  const end = text.trimEnd().length;
  let start = seen(text, 0);
  const cuts: Cut[] = [];
  if (start >= end) return cuts;
  const isOne = end - start <= max && entities.length <= MAX_PART_ENTITIES;
  const barriers = isOne ? new Uint8Array() : barriersOf(whole, max);
  while (start < end) {
    if (cuts.length === maxParts) {
      throw new TextError(`has more than ${maxParts} parts of ${max} characters`, start);
    }
    const limit = Math.min(start + max, entityLimit(entities, start), end);
    const at = limit === end ? end : cutBefore(text, barriers, { start, limit });
    cuts.push([start, start + text.slice(start, at).trimEnd().length]);
    start = seen(text, at);
  }
  return cuts;
}

/** The text of a part and what is marked up in it. */
export function partOf({ text, entities }: FormattedText, [start, end]: Cut): FormattedText {
  const inside = entities.flatMap((entity) => {
    const from = Math.max(entity.offset, start);
    const to = Math.min(entity.offset + entity.length, end);
    if (to <= from || !/\S/.test(text.slice(from, to))) return [];
    return [{ ...entity, offset: from - start, length: to - from }];
  });
  return { text: text.slice(start, end), entities: inside };
}

/** All parts, in order: see `cutText`. */
export function splitText(whole: FormattedText, maxLength?: number): FormattedText[] {
  return cutText(whole, maxLength).map((cut) => partOf(whole, cut));
}

/** The first that is no white space, from there on. */
function seen(text: string, from: number): number {
  let at = from;
  while (at < text.length && isSpace(text, at)) at++;
  return at;
}

const isSpace = (text: string, at: number) => /\s/.test(text.charAt(at));

/** Where the entity begins that would be one too many in a part from `start` on. */
function entityLimit(entities: readonly MessageEntity[], start: number): number {
  let count = 0;
  for (const { offset, length } of entities) {
    if (offset + length > start && ++count > MAX_PART_ENTITIES && offset > start) return offset;
  }
  return Number.POSITIVE_INFINITY;
}

/** The best place to cut in (start, limit]; what no place is free of is given up one by one. */
function cutBefore(
  text: string,
  barriers: Uint8Array,
  { start, limit }: { start: number; limit: number },
): number {
  for (let barrier = 0; barrier < MID_CHARACTER; barrier++) {
    const at = bestCut(text, { start, limit, isFree: (p) => (barriers[p] ?? 0) <= barrier });
    if (at !== null) return at;
  }
  return limit;
}

function bestCut(
  text: string,
  { start, limit, isFree }: { start: number; limit: number; isFree: (at: number) => boolean },
): number | null {
  const half = start + (limit - start) / 2;
  // By what stands there: the last place in the second half, and the last one before it.
  const late: (number | undefined)[] = [];
  const early: (number | undefined)[] = [];
  let any: number | null = null;
  for (let at = limit; at > start && late[PARAGRAPH] === undefined; at--) {
    if (!isFree(at)) continue;
    any ??= at;
    const found = standsAt(text, at);
    if (found > 0) (at >= half ? late : early)[found] ??= at;
  }
  for (const places of [late, early]) {
    for (const kind of [PARAGRAPH, LINE, SENTENCE, WORD]) {
      const place = places[kind];
      if (place !== undefined) return place;
    }
  }
  return any;
}

/** What ends at that place; 0 for nothing, inside a word or in white space. */
function standsAt(text: string, at: number): number {
  if (!isSpace(text, at) || isSpace(text, at - 1)) return 0;
  const gap = text.slice(at, seen(text, at));
  const lines = gap.split("\n").length - 1;
  if (lines > 0) return lines > 1 ? PARAGRAPH : LINE;
  return /[.!?…。！？]["'”’»)\]]*$/u.test(text.slice(Math.max(0, at - 4), at)) ? SENTENCE : WORD;
}
