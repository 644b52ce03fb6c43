import { expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import { rangeOf } from "./byte-range.ts";

const etag = '"a"';

test.each([
  [undefined, null],
  ["bytes=0-0", { from: 0, to: 1 }],
  ["bytes=3-", { from: 3, to: 10 }],
  ["bytes=-4", { from: 6, to: 10 }],
  ["bytes=-40", { from: 0, to: 10 }],
  ["bytes=2-99", { from: 2, to: 10 }],
  ["bytes=10-", "unsatisfiable"],
  ["bytes=-0", "unsatisfiable"],
  ["bytes=4-2", null],
  ["bytes=0-1,3-4", null],
  ["bytes=-", null],
  ["items=0-1", null],
  ["bytes=0x1-2", null],
] as const)("%s of ten bytes", (header, range) => {
  expect(rangeOf(header, 10, { etag })).toEqual(range);
});

test("a range of another file than this is not asked for", () => {
  expect(rangeOf("bytes=0-0", 10, { etag, condition: etag })).toEqual({ from: 0, to: 1 });
  expect(rangeOf("bytes=0-0", 10, { etag, condition: '"b"' })).toBeNull();
});

test("whatever is asked for lies in the file", () => {
  const header = fc
    .tuple(fc.option(fc.nat()), fc.option(fc.nat()))
    .map(([first, last]) => `bytes=${first ?? ""}-${last ?? ""}`);
  fc.assert(
    fc.property(header, fc.nat(), (any, sizeBytes) => {
      const range = rangeOf(any, sizeBytes, { etag });
      if (range === null || range === "unsatisfiable") return;
      expect(range.from).toBeGreaterThanOrEqual(0);
      expect(range.from).toBeLessThan(range.to);
      expect(range.to).toBeLessThanOrEqual(sizeBytes);
    }),
  );
});
