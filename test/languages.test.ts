import { describe, expect, test } from "@jest/globals";
import { ALL_TEXTS as COMMANDS } from "../src/compliance/commands/texts.ts";
import { textsIn as dialogTexts } from "../src/compliance/dialogs/texts.ts";
import { textsIn as inlineTexts } from "../src/compliance/inline/texts.ts";
import { textsIn as downloadTexts } from "../src/evidence/download/texts.ts";
import { LANGUAGES } from "../src/platform/index.ts";

/** All that the bot says of the register, in all languages: the same texts, about the same things. */
const [english, ...others] = LANGUAGES;
const SETS = {
  commands: () => COMMANDS,
  dialogs: () => LANGUAGES.map(dialogTexts),
  inline: () => LANGUAGES.map(inlineTexts),
  downloads: () => LANGUAGES.map(downloadTexts),
};
/** What is not said: the language's own name, and words that people use. */
const UNSAID = /^(locale|language|risk\.levelWords|reports\.typeWords)(\.|$)/;

/** Each text by its path: what it says, and what of that it is given; null: it says nothing. */
function saidIn(texts: unknown, path: string[] = []): Map<string, string | null> {
  const name = path.join(".");
  if (UNSAID.test(name)) return new Map();
  if (typeof texts === "function") return saidBy(texts as Saying, name);
  if (texts === null || typeof texts === "string") return new Map([[name, texts]]);
  if (typeof texts !== "object") throw new Error(`${name} is no text`);
  return new Map(
    Object.entries(texts).flatMap(([key, inside]) => [...saidIn(inside, [...path, key])]),
  );
}

type Saying = (...given: unknown[]) => string;

/** Given marks for all of it, and in turn null, false and one instead of each. */
function saidBy(saying: Saying, name: string): Map<string, string> {
  const marks = Array.from({ length: saying.length }, (_, n) => `<${n}>`);
  const without = marks.flatMap((_, n) =>
    [null, false, 1].map((other) => marks.map((mark, m): unknown => (m === n ? other : mark))),
  );
  return new Map(
    [marks, ...without].map((given) => [`${name}(${given.join(", ")})`, saying(...given)]),
  );
}

const marksIn = (text: string | null): string[] | null =>
  text === null ? null : [...new Set(text.match(/<\d>/g))].sort();

describe.each(Object.entries(SETS))("what is said by %s", (_, sets) => {
  const [first, ...translated] = sets().map((texts) => saidIn(texts));

  test.each(others)(`is all there in ${english} and in %s, and names the same`, (language) => {
    const there = translated[others.indexOf(language)];
    const shape = (said: Map<string, string | null> | undefined) =>
      Object.fromEntries([...(said ?? [])].map(([path, text]) => [path, marksIn(text)]));
    expect(shape(there)).toEqual(shape(first));
    for (const [path, text] of there ?? []) {
      const [words, before] = [text?.trim(), first?.get(path)?.trim()];
      expect({ path, isEmpty: words === "" }).toEqual({ path, isEmpty: before === "" });
      // A word may be the same in both, a sentence is not.
      if ((words?.length ?? 0) > 15) expect({ path, words }).not.toEqual({ path, words: before });
    }
  });
});

test("what pops up at a button has at most 200 characters", () => {
  for (const { answers, refused, collection, review, assessment } of LANGUAGES.map(dialogTexts)) {
    const { submitted, gone, controlGone } = collection;
    const said = [answers, refused, collection.refused, review.refused].flatMap((some) =>
      Object.values<string>(some),
    );
    for (const text of [...said, submitted, gone, controlGone, assessment.saved]) {
      expect(text.length).toBeGreaterThan(0);
      expect({ text, isShort: text.length <= 200 }).toEqual({ text, isShort: true });
    }
  }
});
