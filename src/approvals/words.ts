/**
 * Whole words in a text, whatever their case and script. A rule's words are compared as they are: no
 * patterns, so that the time a search takes is that of reading the text.
 */

/** Scripts that write without spaces: there a word is found wherever it stands. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const NOT_OF_WORDS = /[^\p{L}\p{N}\p{M}]+/gu;
/** Shown as nothing at all: a word that holds them looks like one that doesn't. */
const UNSEEN = /\p{Default_Ignorable_Code_Point}/gu;

/**
 * Words with one space around each. Up, then down: ß and SS come to the same; so do both sigmas, and
 * compatibility forms (ﬁ, ｆｕｌｌ width) are what they stand for.
 */
function wordsOf(text: string): string {
  const folded = text.normalize("NFKC").replace(UNSEEN, "").toUpperCase().toLowerCase();
  const whole = folded.normalize("NFKC").replaceAll("ς", "σ");
  return ` ${whole.replace(NOT_OF_WORDS, " ").trim()} `;
}

/** Whether there is anything in it to look for: a letter or a digit. */
export const isWord = (word: string): boolean => wordsOf(word).trim() !== "";

/** Whether any of `words`, each one or several words, stands in any of the texts. */
export function holdsWord(texts: readonly string[], words: readonly string[]): boolean {
  const haystacks = texts.map(wordsOf);
  return words.some((word) => {
    const needle = wordsOf(word).trim();
    if (needle === "") return false;
    const first = String.fromCodePoint(needle.codePointAt(0) ?? 0);
    const last = Array.from(needle).at(-1) ?? "";
    const bounded = `${UNSPACED.test(first) ? "" : " "}${needle}${UNSPACED.test(last) ? "" : " "}`;
    return haystacks.some((haystack) => haystack.includes(bounded));
  });
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', nbsp: " " };

function decoded(entity: string, name: string): string {
  const isHex = /^#x/i.test(name);
  const code = name.startsWith("#")
    ? Number.parseInt(name.slice(isHex ? 2 : 1), isHex ? 16 : 10)
    : 0;
  if (code > 0 && code <= 0x10ffff) return String.fromCodePoint(code);
  return ENTITIES[name.toLowerCase()] ?? entity;
}

/**
 * A text as it may come to be read: as it is written, and without its markup, so that a word is found
 * that is half bold. Rather a word too many is found than one too few.
 */
export function readings(text: string, format: string): string[] {
  if (format === "html") {
    const bare = text.replace(/<[^>]*>/g, "");
    return [text, bare.replace(/&(#x?[0-9a-f]{1,6}|[a-z]{1,8});/gi, decoded)];
  }
  return format === "markdown" ? [text, text.replace(/[*_~`|\\[\]]/g, "")] : [text];
}
