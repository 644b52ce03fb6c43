/** More changes than this make another word, not a slip of the pen. */
const MAX_CHANGES = 4;

/**
 * The word of `words` that `word` was most likely meant to be: fewest letters changed, added or left
 * out (Levenshtein), and less than half of them. Undefined: none is near.
 */
export function nearestWord(word: string, words: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let fewest = Math.min(MAX_CHANGES + 1, Math.ceil(word.length / 2));
  for (const candidate of words) {
    const changes = changesBetween(word, candidate);
    if (changes < fewest) [nearest, fewest] = [candidate, changes];
  }
  return nearest;
}

function changesBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
