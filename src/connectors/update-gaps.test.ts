import { describe, expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import { GAP_AFTER_MS, gapsOf, holesOf, missingIn, runsOf, type SeenRange } from "./update-gaps.ts";

const DAY_MS = 24 * 3_600_000;
const seen = (firstId: number, lastId: number, fromMs = 0, seenMs = fromMs): SeenRange => ({
  firstId,
  lastId,
  fromMs,
  seenMs,
});

describe("what is missing", () => {
  test("is what lies between the lowest and the highest number seen, in whatever order they came", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { minLength: 1 }), (ids) => {
        const ranges = runsOf(ids).map(({ firstId, lastId }) => seen(firstId, lastId));
        const missing = new Set<number>();
        for (const { firstId, lastId } of holesOf(ranges)) {
          for (let id = firstId; id <= lastId; id++) missing.add(id);
        }
        for (let id = Math.min(...ids); id <= Math.max(...ids); id++) {
          expect([id, missing.has(id)]).toEqual([id, !ids.includes(id)]);
        }
        expect(missing.size).toBe(missingIn(holesOf(ranges)));
      }),
    );
  });

  test("is nothing for a bot's first updates, wherever its numbers begin", () => {
    expect(holesOf([])).toEqual([]);
    expect(holesOf([seen(874_119_833, 874_119_840)])).toEqual([]);
  });

  test("has been missing since something above it was seen", () => {
    const ranges = [seen(1, 10, 0, 50), seen(13, 20, 60, 90), seen(22, 30, 100, 120)];
    expect(holesOf(ranges)).toEqual([
      { firstId: 11, lastId: 12, sinceMs: 60 },
      { firstId: 21, lastId: 21, sinceMs: 100 },
    ]);
  });

  test("does not become news when a part of it comes late", () => {
    const ranges = [seen(1, 10, 0), seen(15, 15, 900), seen(20, 30, 60)];
    expect(holesOf(ranges).map(({ sinceMs }) => sinceMs)).toEqual([60, 60]);
  });

  test("below what a bot began with is missing since the lower one was seen", () => {
    expect(holesOf([seen(100, 110, 0), seen(50, 50, 700)])).toEqual([
      { firstId: 51, lastId: 99, sinceMs: 700 },
    ]);
  });

  test("counts after a while: late and shuffled is normal", () => {
    const holes = holesOf([seen(1, 1, 0), seen(3, 3, 1_000)]);
    expect(gapsOf(holes, 1_000 + GAP_AFTER_MS - 1)).toEqual([]);
    expect(gapsOf(holes, 1_000 + GAP_AFTER_MS)).toEqual(holes);
  });
});

describe("a jump is not a gap", () => {
  test("after a silent week the next number is random, above or below", () => {
    const week = 7 * DAY_MS;
    expect(holesOf([seen(1, 10, 0, 5), seen(90_000, 90_010, week)])).toEqual([]);
    expect(holesOf([seen(500, 510, 0, 5), seen(1, 10, week)])).toEqual([]);
    // Six days is not that: those were lost.
    expect(holesOf([seen(1, 10, 0, 5), seen(90_000, 90_010, 6 * DAY_MS)])).toHaveLength(1);
  });

  test("nor are more numbers than there can have been updates", () => {
    expect(holesOf([seen(1, 10, 0, 5), seen(800_000_000, 800_000_010, 60_000)])).toEqual([]);
    expect(holesOf([seen(1, 10, 0, 5), seen(500_000, 500_010, 60_000)])).toHaveLength(1);
  });

  test("and what is old on one side of it does not make the other side's holes old", () => {
    const ranges = [
      seen(1, 10, 0, 5),
      seen(9e9, 9e9, 7 * DAY_MS),
      seen(9e9 + 2, 9e9 + 2, 8 * DAY_MS),
    ];
    expect(holesOf(ranges)).toEqual([{ firstId: 9e9 + 1, lastId: 9e9 + 1, sinceMs: 8 * DAY_MS }]);
  });
});
