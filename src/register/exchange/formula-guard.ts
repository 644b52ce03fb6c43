/**
 * A spreadsheet takes a cell that begins like this for a formula, and runs it (OWASP: CSV injection).
 * With an apostrophe before it, it is text. Full-width signs are turned into the plain ones by some.
 */
const FORMULA = /^'*[=+\-@\t\r\n＝＋－＠]/;
const GUARDED = /^'+[=+\-@\t\r\n＝＋－＠]/;

/** What a cell of an exported file holds, so that it is shown and never run. */
export const guarded = (cell: string): string => (FORMULA.test(cell) ? `'${cell}` : cell);

/** The text that `guarded` was given: a text of its own apostrophes had one added to them, too. */
export const unguarded = (cell: string): string => (GUARDED.test(cell) ? cell.slice(1) : cell);
