import { expect, test } from "@jest/globals";
import { fc } from "../property.ts";
import { formsOf } from "./forms.ts";
import { search } from "./search.ts";

/** The search of test/secrecy.test.ts sees what it is to see. */

const ENCODINGS: Record<string, (text: string) => string> = {
  "as it is": (text) => text,
  "in a URL": (text) => encodeURIComponent(text),
  "in a form": (text) => new URLSearchParams({ text }).toString(),
  "every byte percent-encoded": (text) => Buffer.from(text).toString("hex").replace(/../g, "%$&"),
  base64: (text) => Buffer.from(text).toString("base64"),
  base64url: (text) => Buffer.from(text).toString("base64url"),
  hexadecimal: (text) => Buffer.from(text).toString("hex"),
  HEXADECIMAL: (text) => Buffer.from(text).toString("hex").toUpperCase(),
  backwards: (text) => [...text].reverse().join(""),
  JSON: (text) => JSON.stringify({ text }),
  "JSON in JSON": (text) => JSON.stringify(JSON.stringify({ text })),
};

/** What tokens, keys, secrets and phone numbers are made of. */
const secret = fc.stringMatching(/^[A-Za-z0-9_:+/=-]{8,60}$/);
const around = fc.string({ unit: "binary", maxLength: 20 });

test.each(Object.entries(ENCODINGS))(
  "a secret is found %s, whatever stands around it",
  (_n, write) => {
    fc.assert(
      fc.property(around, secret, around, (before, value, after) => {
        const text = write(before + value + after);
        expect(
          search([{ name: "there", text }], [{ what: "it", kind: "secret", value }]),
        ).not.toEqual([]);
      }),
    );
  },
);

test("a key of bytes is found in base64 and in hexadecimal", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 5 }),
      fc.uint8Array({ minLength: 16, maxLength: 32 }),
      fc.uint8Array({ maxLength: 5 }),
      (before, key, after) => {
        const whole = Buffer.concat([before, key, after]);
        for (const encoding of ["base64", "base64url", "hex"] as const) {
          const forms = [...formsOf(Buffer.from(key)).values()];
          expect(forms.some((form) => whole.toString(encoding).includes(form))).toBe(true);
        }
      },
    ),
  );
});

test("what may be in a place is not found there, and is found in others", () => {
  const needles = [{ what: "a text", kind: "words" as const, value: "the quick brown fox" }];
  const text = "said: the quick brown fox";
  const places = [{ name: "messages", text, may: ["words" as const] }];
  expect(search(places, needles)).toEqual([]);
  expect(search([...places, { name: "a log", text }], needles)).toEqual([
    "a text (plain) in a log: …said: the quick brown fox…",
  ]);
});

test("what would be found by chance is not searched for", () => {
  expect(() => formsOf("1234567")).toThrow(/at least 8 bytes/);
});
