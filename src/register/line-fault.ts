/** What begins a run of another direction of writing, with what ends it. */
const RUNS: ReadonlyMap<string, string> = new Map([
  ["\u202A", "\u202C"],
  ["\u202B", "\u202C"],
  ["\u202D", "\u202C"],
  ["\u202E", "\u202C"],
  ["\u2066", "\u2069"],
  ["\u2067", "\u2069"],
  ["\u2068", "\u2069"],
]);
const ENDS = new Set(RUNS.values());

/**
 * What is wrong with a code or a title, in words; undefined: nothing. Both are one line, which is shown
 * among others: a code is of what can be seen, or two would look the same; a title may turn the direction
 * of writing, and turns it back itself.
 */
export function lineFault(field: "code" | "title", text: string): string | undefined {
  if (field === "code") {
    return /[\p{C}\p{Zl}\p{Zp}]/u.test(text) ? "is one line, of what can be seen" : undefined;
  }
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text)) return "is one line, without control characters";
  return leavesTurned(text) ? "turns the direction of writing, and not back again" : undefined;
}

/** Also where it ends a run that began before it. */
function leavesTurned(text: string): boolean {
  const open: (string | undefined)[] = [];
  for (const character of text) {
    if (RUNS.has(character)) open.push(RUNS.get(character));
    else if (ENDS.has(character) && open.pop() !== character) return true;
  }
  return open.length > 0;
}
