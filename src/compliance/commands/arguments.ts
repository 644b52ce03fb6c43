/** What stands behind a command, word by word; what is in quotes is one. */
export type Arguments = { words: string[] } | { fault: "unfinished-quote" | "too-many" };

/** Far more than any command takes: who writes more has not meant a command. */
const MAX_WORDS = 200;

/** What ends a quote, by what began it: as phones and languages write them, in either direction. */
const CLOSERS: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["“", "”“"],
  ["„", "“”„"],
  ["”", "”"],
  ["«", "»"],
  ["»", "«"],
  ["‚", "‘’"],
  ["‘", "’"],
  ["'", "'"],
]);
/** Inside a word they are apostrophes. */
const ESCAPABLE = /["'“”„«»‚‘’\\]/u;

/**
 * Splits at white space, of any script's. A quote begins where a word does, and ends with a quote of
 * its kind; `\"` stands for itself. Takes time in proportion to the length.
 */
export function parseArguments(args: string): Arguments {
  const characters = Array.from(args);
  const words: string[] = [];
  let at = 0;
  while (at < characters.length) {
    if (isSpace(characters[at])) {
      at++;
      continue;
    }
    if (words.length === MAX_WORDS) return { fault: "too-many" };
    const closers = CLOSERS.get(characters[at] ?? "");
    const word = closers === undefined ? bareWord(characters, at) : quoted(characters, at, closers);
    if (word === null) return { fault: "unfinished-quote" };
    words.push(word.text);
    at = word.end;
  }
  return { words };
}

/** Ends before `end`. */
interface Word {
  text: string;
  end: number;
}

function bareWord(characters: readonly string[], start: number): Word {
  let text = "";
  let at = start;
  while (at < characters.length && !isSpace(characters[at])) {
    if (isEscape(characters, at)) at++;
    text += characters[at] ?? "";
    at++;
  }
  return { text, end: at };
}

/** Null: it does not end. */
function quoted(characters: readonly string[], start: number, closers: string): Word | null {
  let text = "";
  for (let at = start + 1; at < characters.length; at++) {
    const character = characters[at] ?? "";
    if (closers.includes(character) && endsWord(characters, at, character)) {
      return { text, end: at + 1 };
    }
    if (isEscape(characters, at)) at++;
    text += characters[at] ?? "";
  }
  return null;
}

/** An apostrophe is none of a quote's ends: `'it's so'`. */
function endsWord(characters: readonly string[], at: number, closer: string): boolean {
  if (closer !== "'" && closer !== "’") return true;
  const next = characters[at + 1];
  return next === undefined || isSpace(next);
}

const isEscape = (characters: readonly string[], at: number) =>
  characters[at] === "\\" && ESCAPABLE.test(characters[at + 1] ?? "");

const isSpace = (character: string | undefined) => /^\s$/u.test(character ?? "");
