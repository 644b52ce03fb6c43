import { describe, expect, test } from "@jest/globals";
import { fc, runs } from "../../../test/support/property.ts";
import type { EntityType, FormattedText, MessageEntity } from "./message-entity.ts";
import { cutText, MAX_PART_ENTITIES, splitText } from "./split-text.ts";
import { TextError } from "./text-error.ts";

const plain = (text: string): FormattedText => ({ text, entities: [] });
const marked = (text: string, words: string, type: EntityType): FormattedText => ({
  text,
  entities: [{ type, offset: text.indexOf(words), length: words.length }],
});
const textsOf = (whole: FormattedText, max: number) =>
  splitText(whole, max).map(({ text }) => text);

describe("where a text is cut", () => {
  test.each([
    [
      "a paragraph before a line",
      "one two\nthree\n\nfour five",
      20,
      ["one two\nthree", "four five"],
    ],
    [
      "a line before a sentence",
      "one two.\nthree. four five",
      16,
      ["one two.", "three. four five"],
    ],
    ["a sentence before a word", "one two. three four five", 16, ["one two.", "three four five"]],
    ["a word", "one two three", 9, ["one two", "three"]],
    ["rather in the second half", "a\n\nbb cc dd ee ff", 12, ["a\n\nbb cc dd", "ee ff"]],
    ["nowhere better", "abcdefgh", 3, ["abc", "def", "gh"]],
    ["exactly at the length", "abc def", 3, ["abc", "def"]],
    ["white space at a cut is in no part", "abc   \n\n   def", 4, ["abc", "def"]],
    ["a grapheme is whole", "abc👨‍👩‍👧", 10, ["abc", "👨‍👩‍👧"]],
    ["but for one that fits nowhere", "👨‍👩‍👧", 4, ["👨‍", "👩‍", "👧"]],
    ["an address is whole", "abcdefgh https://e.org/?q=1", 20, ["abcdefgh", "https://e.org/?q=1"]],
    ["an address in a word", "abcd(https://e.org)", 15, ["abcd(", "https://e.org)"]],
    ["nothing to be seen", " \n ", 4, []],
  ])("%s", (_what, text, max, parts) => {
    expect(textsOf(plain(text), max)).toEqual(parts);
  });

  test("what is marked up goes whole into the next part where it fits into one", () => {
    expect(textsOf(marked("one two three four", "two three", "bold"), 9)).toEqual([
      "one",
      "two three",
      "four",
    ]);
    expect(splitText(marked("one two three four", "two three four", "bold"), 8)).toEqual([
      { text: "one two", entities: [{ type: "bold", offset: 4, length: 3 }] },
      { text: "three", entities: [{ type: "bold", offset: 0, length: 5 }] },
      { text: "four", entities: [{ type: "bold", offset: 0, length: 4 }] },
    ]);
  });

  test("a link is cut only where it fits nowhere, a quote around it sooner", () => {
    const text = "one two three four five";
    const link: MessageEntity = { type: "text_link", url: "https://e.org", offset: 4, length: 9 };
    const quote: MessageEntity = { type: "blockquote", offset: 0, length: text.length };
    expect(textsOf({ text, entities: [quote, link] }, 10)).toEqual([
      "one",
      "two three",
      "four five",
    ]);
    expect(textsOf({ text, entities: [link] }, 5)).toEqual(["one", "two", "three", "four", "five"]);
  });

  test("no part has more entities than Telegram takes", () => {
    const text = "ab ".repeat(250);
    const entities = Array.from({ length: 250 }, (_, n) => ({
      type: "bold" as const,
      offset: n * 3,
      length: 2,
    }));
    const parts = splitText({ text, entities });
    expect(parts.map((part) => part.entities.length)).toEqual([
      MAX_PART_ENTITIES,
      MAX_PART_ENTITIES,
      50,
    ]);
  });

  test("no more parts than asked for", () => {
    expect(cutText(plain("abcdef"), 2, 3)).toHaveLength(3);
    expect(() => cutText(plain("abcdefg"), 2, 3)).toThrow(TextError);
  });
});

/** A text with entities nested as Telegram has them. */
const formatted = fc
  .array(
    fc.record({
      words: fc
        .array(fc.constantFrom("word", " ", "\n", "\n\n", ". ", "👨‍👩‍👧", "é", "שלום", "  "), {
          minLength: 1,
          maxLength: 8,
        })
        .map((all) => all.join("")),
      marks: fc.uniqueArray(fc.constantFrom<EntityType>("bold", "italic", "text_link", "pre"), {
        maxLength: 2,
      }),
    }),
    { maxLength: 12 },
  )
  .map((runs): FormattedText => {
    let text = "";
    const entities: MessageEntity[] = [];
    for (const { words, marks } of runs) {
      if (/\S/.test(words)) {
        const place = { offset: text.length, length: words.length };
        entities.push(...marks.map((type) => ({ type, ...place })));
      }
      text += words;
    }
    return { text, entities };
  });

/** Each character that is seen, with what it is marked up as. */
const shown = ({ text, entities }: FormattedText) =>
  [...text.matchAll(/\S/gu)].map(({ index, 0: character }) => [
    character,
    entities
      .filter(({ offset, length }) => offset <= index && index < offset + length)
      .map(({ type }) => type)
      .sort()
      .join(" "),
  ]);

test("nothing is lost, doubled, moved or unmarked, whatever is cut", () => {
  fc.assert(
    fc.property(formatted, fc.integer({ min: 12, max: 60 }), (whole, max) => {
      const parts = splitText(whole, max);
      expect(parts.flatMap(shown)).toEqual(shown(whole));
      const whole_ = [...new Intl.Segmenter().segment(whole.text)].map(({ segment }) => segment);
      const cut = parts.flatMap(({ text, entities }) => {
        expect(text).toBe(text.trim());
        expect(text).not.toBe("");
        expect(text.length).toBeLessThanOrEqual(max);
        for (const { offset, length } of entities) {
          expect(text.slice(offset, offset + length)).toHaveLength(length);
          expect(text.slice(offset, offset + length)).toMatch(/\S/);
        }
        return [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment);
      });
      const seen = (segments: string[]) => segments.filter((segment) => /\S/.test(segment));
      expect(seen(cut)).toEqual(seen(whole_));
      const links = (one: FormattedText) =>
        one.entities
          .filter(({ type, length }) => type === "text_link" && length <= max)
          .map(({ offset, length }) => one.text.slice(offset, offset + length).trim());
      const allFit = whole.entities.every((one) => one.type !== "text_link" || one.length <= max);
      if (allFit) expect(parts.flatMap(links)).toEqual(links(whole));
    }),
    { numRuns: runs(200) },
  );
});
