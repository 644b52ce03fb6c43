import { describe, expect, test } from "@jest/globals";
import { fc } from "../../../test/support/property.ts";
import { LANGUAGES } from "../../platform/index.ts";
import { MAX_FOUND, SEARCH_KINDS } from "../../register/index.ts";
import { askedFor, offsetAfter, PAGE } from "./asked.ts";
import { resultOf } from "./result.ts";
import { textsIn } from "./texts.ts";

describe("what is looked for", () => {
  test("the first word may say of which kind; anything else is words", () => {
    expect(askedFor("risk ransom ware", "")).toEqual({
      words: "ransom ware",
      kinds: ["risk"],
      offset: 0,
    });
    expect(askedFor("Compliance", "")).toMatchObject({ words: "", kinds: ["control"] });
    expect(askedFor("  evidence  May ", "")).toMatchObject({ words: "May", kinds: ["evidence"] });
    expect(askedFor("Maßnahmen Zugang", "")).toMatchObject({ words: "Zugang", kinds: ["control"] });
    expect(askedFor("risky", "")).toMatchObject({ words: "risky", kinds: SEARCH_KINDS });
    expect(askedFor("constructor", "")).toMatchObject({ words: "constructor" });
  });

  test("pages follow each other to an end; other offsets are nobody's", () => {
    let offset = "";
    let pages = 0;
    do {
      const asked = askedFor("x", offset);
      if (asked === null) throw new Error(`an offset that was given is refused: ${offset}`);
      expect(asked.offset).toBe(pages * PAGE);
      offset = offsetAfter(asked, true);
      pages++;
    } while (offset !== "");
    expect(pages).toBe(MAX_FOUND / PAGE);
    expect(offsetAfter({ words: "", kinds: [], offset: 0 }, false)).toBe("");
    for (const forged of ["-25", "1", "26", "1e2", "025", String(MAX_FOUND), "9".repeat(64), "x"]) {
      expect(askedFor("x", forged)).toBeNull();
    }
  });
});

test("an entry, whatever it says, is a result that Telegram takes and a database can hold", () => {
  const said = (maxLength: number) =>
    fc.oneof(
      fc.string({ unit: "grapheme", minLength: 1, maxLength }),
      fc.constant("🔥".repeat(maxLength)),
    );
  const entry = fc.record({
    kind: fc.constantFrom(...SEARCH_KINDS),
    id: fc.uuid(),
    code: said(60),
    title: said(300),
    description: fc.oneof(fc.constant(""), said(500)),
    status: fc.constant("in_progress"),
  });
  fc.assert(
    fc.property(fc.constantFrom(...LANGUAGES), entry, (language, found) => {
      const { id, title, description, text } = resultOf(textsIn(language), found);
      expect(Buffer.byteLength(id)).toBeLessThanOrEqual(64);
      expect([title.trim(), text.trim()]).not.toContain("");
      expect(text.length).toBeLessThanOrEqual(4_096);
      expect(JSON.stringify([title, description, text])).not.toMatch(/\\ud[89a-f]/);
      expect(text).toContain(found.title);
    }),
  );
});
