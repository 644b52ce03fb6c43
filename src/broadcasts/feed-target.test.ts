import { expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import { feedTarget } from "./feed-target.ts";

/** A bot that sends `perSecond`, fed once a second: seconds in which it ran out of messages. */
function secondsDry(perSecond: number, seconds: number): number[] {
  let target = feedTarget({ gone: 0, elapsedMs: 0 });
  let outstanding = target;
  const dry: number[] = [];
  for (let second = 0; second < seconds; second++) {
    const gone = Math.min(outstanding, perSecond);
    if (gone < perSecond) dry.push(second);
    target = feedTarget({ gone, elapsedMs: 1_000 });
    outstanding = Math.max(outstanding - gone, target);
  }
  return dry;
}

test("whatever a bot can send, up to 1,000 a second, it is kept busy after two looks", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000 }), (perSecond) => {
      expect(secondsDry(perSecond, 30).filter((second) => second > 1)).toEqual([]);
    }),
  );
});

test("never more than ten seconds' worth, but for a little stock to begin with", () => {
  expect(feedTarget({ gone: 0, elapsedMs: 60_000 })).toBe(300);
  expect(feedTarget({ gone: 11, elapsedMs: 1_000 })).toBe(300);
  expect(feedTarget({ gone: 600, elapsedMs: 10_000 })).toBe(600);
  expect(feedTarget({ gone: 500_000, elapsedMs: 1_000 })).toBe(10_000);
});

test("a clock that went back, or messages that came from elsewhere, are no rate", () => {
  for (const elapsedMs of [0, -5, Number.NaN]) {
    expect(feedTarget({ gone: 100, elapsedMs })).toBe(300);
  }
  expect(feedTarget({ gone: -100, elapsedMs: 1_000 })).toBe(300);
});
