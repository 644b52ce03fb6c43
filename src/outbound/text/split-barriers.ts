import { type FormattedText, isWhole } from "./message-entity.ts";

/** What a cut at a place would break, the worse the higher; 0: nothing. */
const MID_ENTITY = 1;
const MID_LINK = 2;
const MID_GRAPHEME = 3;
export const MID_CHARACTER = 4;

const ADDRESS = /\b(?:https?|tg|ftp):\/\/\S+/gi;

/**
 * For each place of a text, what a cut there would break. What is longer than `maxLength` has to be
 * cut somewhere, and is no barrier. White space at the ends of an entity may be lost, so a cut there
 * breaks nothing. Takes time in proportion to the text and the number of entities.
 */
export function barriersOf({ text, entities }: FormattedText, maxLength: number): Uint8Array {
  const barriers = new Uint8Array(text.length + 1);
  const put = (barrier: number, ranges: (readonly [number, number])[]) => {
    // How many ranges more, or fewer, a place lies in than the one before it.
    const steps = new Int32Array(text.length + 2);
    for (const [start, end] of ranges) {
      if (end - start < 2 || end - start > maxLength) continue;
      steps[start + 1] = (steps[start + 1] ?? 0) + 1;
      steps[end] = (steps[end] ?? 0) - 1;
    }
    let inside = 0;
    for (let at = 0; at <= text.length; at++) {
      inside += steps[at] ?? 0;
      if (inside > 0) barriers[at] = barrier;
    }
  };
  const seen = entities.map((entity) => {
    const words = text.slice(entity.offset, entity.offset + entity.length);
    const start = entity.offset + words.length - words.trimStart().length;
    return { isWhole: isWhole(entity.type), range: [start, start + words.trim().length] as const };
  });
  const rangesOf = (whole: boolean) =>
    seen.filter((entity) => entity.isWhole === whole).map(({ range }) => range);
  const addresses = [...text.matchAll(ADDRESS)].map(
    (match) => [match.index, match.index + match[0].length] as const,
  );
  put(MID_ENTITY, rangesOf(false));
  put(MID_LINK, [...rangesOf(true), ...addresses]);
  put(MID_GRAPHEME, graphemes(text));
  for (let at = 1; at < text.length; at++) {
    if (isHigh(text.charCodeAt(at - 1)) && isLow(text.charCodeAt(at))) barriers[at] = MID_CHARACTER;
  }
  return barriers;
}

/** Those of more than one UTF-16 unit. */
function graphemes(text: string): (readonly [number, number])[] {
  // Of ASCII only a line's end has two, and nothing is cut inside white space.
  if (!/[^\n -~]/.test(text)) return [];
  const ranges: (readonly [number, number])[] = [];
  for (const { index, segment } of new Intl.Segmenter().segment(text)) {
    if (segment.length > 1) ranges.push([index, index + segment.length]);
  }
  return ranges;
}

const isHigh = (unit: number) => unit >= 0xd800 && unit < 0xdc00;
const isLow = (unit: number) => unit >= 0xdc00 && unit < 0xe000;
