import type { MessageEntity } from "../outbound/index.ts";

/** A piece of a link's address: as it is written, or the value of a variable. */
export type HrefPart = string | { name: string };

/** Formatting of a text that still has slots. A link to a variable has `href` in place of its url. */
export type SlotEntity = MessageEntity & { href?: readonly HrefPart[] };

/** Where a tag was: one unit of the text. */
export interface Slot {
  kind: "value" | "mark" | "open" | "close";
  name: string;
  at: number;
}

/** A text with its formatting and its slots, both in UTF-16 units, slots in order. */
export interface MarkedText {
  text: string;
  entities: readonly SlotEntity[];
  slots: readonly Slot[];
}

/** Holds a slot's place. */
export const SLOT = "\uFFFC";

/**
 * Puts `by` in place of the text from `start` to `end`. What was formatted stays so: formatting around
 * it holds what comes in, formatting inside goes with it, and that of none is left.
 */
export function replace(
  { text, entities, slots }: MarkedText,
  start: number,
  end: number,
  by: string,
): MarkedText {
  const delta = by.length - (end - start);
  const moved = (at: number) => (at >= end ? at + delta : Math.min(at, start));
  return {
    text: text.slice(0, start) + by + text.slice(end),
    entities: entities.flatMap((entity) => {
      const offset = entity.offset === start ? start : moved(entity.offset);
      const length = moved(entity.offset + entity.length) - offset;
      return length > 0 ? [{ ...entity, offset, length }] : [];
    }),
    slots: slots
      .filter(({ at }) => at < start || at >= end)
      .map((slot) => ({ ...slot, at: moved(slot.at) })),
  };
}

/**
 * Takes out what stands from `start` to `end`, with its line where nothing else is on it: the breaks
 * before and after become one, the wider of the two. Of blanks around it those before stay, unless it
 * ended its line.
 */
export function cut(marked: MarkedText, start: number, end: number): MarkedText {
  const { text } = marked;
  const from = start - runBefore(text, start, BLANKS);
  const to = end + runAfter(text, end, BLANKS);
  const beginsLine = from === 0 || text[from - 1] === "\n";
  const endsLine = to === text.length || text[to] === "\n";
  if (!endsLine) return replace(marked, start, from < start && to > end ? end + 1 : end, "");
  if (!beginsLine) return replace(marked, from, to, "");
  const breaks = Math.min(runBefore(text, from, "\n"), runAfter(text, to, "\n"));
  return replace(marked, from, to + breaks, "");
}

/** Without the white space at its ends. */
export function trimmed(marked: MarkedText): MarkedText {
  const { text } = marked;
  const end = text.trimEnd().length;
  const atEnd = replace(marked, end, text.length, "");
  return replace(atEnd, 0, end - atEnd.text.trimStart().length, "");
}

const BLANKS = " \t";

function runBefore(text: string, at: number, units: string): number {
  let length = 0;
  while (at > length && units.includes(text[at - length - 1] ?? "")) length += 1;
  return length;
}

function runAfter(text: string, at: number, units: string): number {
  let length = 0;
  while (at + length < text.length && units.includes(text[at + length] ?? "")) length += 1;
  return length;
}
