import { describe, expect, test } from "@jest/globals";
import { fc, runs } from "../../../test/support/property.ts";
import { parseArguments } from "./arguments.ts";

const words = (args: string) => {
  const parsed = parseArguments(args);
  return "words" in parsed ? parsed.words : parsed.fault;
};

describe("what stands behind a command", () => {
  test.each<[string, string[] | string]>([
    ["", []],
    ["   \n\t ", []],
    ["document report", ["document", "report"]],
    ['document "Quarterly compliance report"', ["document", "Quarterly compliance report"]],
    ["document “Quarterly compliance report”", ["document", "Quarterly compliance report"]],
    ["„Bericht eins“ «deux mots» 'drei Worte'", ["Bericht eins", "deux mots", "drei Worte"]],
    ['"a \\"b\\" c" d\\"e', ['a "b" c', 'd"e']],
    ["'it's so' don't", ["it's so", "don't"]],
    ['""', [""]],
    ['"a"b', ["a", "b"]],
    ["a\u00a0b\u3000c", ["a", "b", "c"]],
    ["C:\\temp 👩‍👩‍👧 ÅÄÖ", ["C:\\temp", "👩‍👩‍👧", "ÅÄÖ"]],
    ['document "Quarterly', "unfinished-quote"],
    ["„so", "unfinished-quote"],
    ['"\\"', "unfinished-quote"],
    ["a ".repeat(201), "too-many"],
  ])("%j", (args, expected) => {
    expect(words(args)).toEqual(expected);
  });

  test("whatever the words are, quoted they come back", () => {
    const word = fc.string({ unit: "binary", maxLength: 20 });
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (given) => {
        const escaped = given.map((one) => `"${one.replace(/["'“”„«»‚‘’\\]/gu, "\\$&")}"`);
        expect(words(escaped.join(" "))).toEqual(given);
      }),
      { numRuns: runs(200) },
    );
  });

  test("nothing that is typed makes it throw", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (args) => {
        expect(parseArguments(args)).toBeDefined();
      }),
      { numRuns: runs(200) },
    );
  });
});
