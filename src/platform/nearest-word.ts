/** More changes than this make another word, not a slip of the pen. */
const MAX_CHANGES = 4;

/**
 * The word of `words` that `word` was most likely meant to be: fewest letters changed, added, left
 * out or swapped with the next (Damerau, Levenshtein), and less than half of them. Undefined: none is near.
 */
export function nearestWord(word: string, words: readonly string[]): string | undefined {
  return nearestOf(word, words, { namesOf: (one) => [one], most: 1 })[0];
}

/**
 * Those of `things` that one of their names says `word` was most likely meant for, the nearest first,
 * of equals the earlier; at most `most`. Takes time in proportion to their number and to the lengths
 * of words, so hand it few.
 */
export function nearestOf<Thing>(
  word: string,
  things: readonly Thing[],
  { namesOf, most }: { namesOf(thing: Thing): readonly string[]; most: number },
): Thing[] {
  const limit = Math.min(MAX_CHANGES + 1, Math.ceil(word.length / 2));
  const near = things.flatMap((thing) => {
    const changes = Math.min(...namesOf(thing).map((name) => changesBetween(word, name)));
    return changes < limit ? [{ thing, changes }] : [];
  });
  return near
    .sort((a, b) => a.changes - b.changes)
    .slice(0, most)
    .map(({ thing }) => thing);
}

function changesBetween(a: string, b: string): number {
  // As many letters too many, or too few, are as many changes: no need to count the others.
  if (Math.abs(a.length - b.length) > MAX_CHANGES) return Number.POSITIVE_INFINITY;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwapped ? (before[j - 2] ?? 0) + 1 : replaced;
      next.push(Math.min(replaced, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    [before, row] = [row, next];
  }
  return row.at(-1) ?? 0;
}
