import { expect, test } from "@jest/globals";
import { fc, runs } from "../../../test/support/property.ts";
import { MAX_TEXT_LENGTH, parseText, TEXT_FORMATS, TextError } from "./index.ts";
import { type FormattedText, isCode, isQuote, isStyle } from "./message-entity.ts";

/** What Telegram asks of entities (Bot API: Formatting options). */
function expectSound({ text, entities }: FormattedText): void {
  expect(text).toBe(text.trim());
  expect(text).not.toMatch(/[\0\p{Surrogate}]/u);
  entities.forEach((entity, n) => {
    const { offset, length } = entity;
    const words = text.slice(offset, offset + length);
    expect(words).toHaveLength(length);
    expect(words).toMatch(/\S/);
    const before = entities[n - 1];
    if (before) expect(before.offset <= offset).toBe(true);
    for (const inner of entities.slice(n + 1)) {
      if (inner.offset >= offset + length) continue;
      expect(inner.offset + inner.length).toBeLessThanOrEqual(offset + length);
      expect(isCode(entity.type) || isCode(inner.type)).toBe(
        isCode(inner.type) && isQuote(entity.type),
      );
      expect(isQuote(entity.type) && isQuote(inner.type)).toBe(false);
      expect(isStyle(entity.type) && entity.type === inner.type).toBe(false);
    }
  });
}

const PIECES = [
  ...["<b>", "</b>", "<i>", "</i>", "<code>", "</code>", "<pre>", "</pre>", "<br>", "&lt;", "&#0;"],
  ...[
    "<blockquote>",
    "</blockquote>",
    '<a href="https://e.org">',
    '<a href="x:y">',
    "</a>",
    "<u/>",
  ],
  ...[
    "*",
    "**",
    "_",
    "~~",
    "`",
    "```\n",
    "> ",
    "- ",
    "1. ",
    "  ",
    "[",
    "](https://e.org)",
    "![",
    "]",
  ],
  ...[
    "\n",
    "\n\n",
    " ",
    "word",
    "\\",
    "#",
    "\ud83d",
    "\udc4d",
    "👨‍👩‍👧",
    "\0",
    "\u202e",
    "שלום",
    "<",
    ">",
    "é",
  ],
];

test("whatever is written becomes text with sound entities, or a mistake that is told", () => {
  const source = fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }).map((all) => all.join(""));
  fc.assert(
    fc.property(source, fc.constantFrom(...TEXT_FORMATS), (text, format) => {
      try {
        expectSound(parseText(text, format));
      } catch (error) {
        if (!(error instanceof TextError)) throw error;
        expect(format).not.toBe("plain");
        expect(error.position).toBeLessThanOrEqual(text.length);
      }
    }),
    { numRuns: runs(300) },
  );
});

test.each(["a*_", "*a_ ", "_a*b ", ">", "- ", "[", "](", "![", "`a``", "<!--", "<b>", "<a "])(
  "%j to the end of the longest text: read, or refused as a mistake of its author",
  (piece) => {
    const source = piece.repeat(Math.floor(MAX_TEXT_LENGTH / piece.length));
    for (const format of TEXT_FORMATS) {
      try {
        parseText(source, format);
      } catch (error) {
        expect(error).toBeInstanceOf(TextError);
      }
    }
  },
);

test("longer than anything is refused before it is read", () => {
  expect(() => parseText("[".repeat(100_000), "markdown")).toThrow(TextError);
});
