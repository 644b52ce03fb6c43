import { describe, expect, test } from "@jest/globals";
import { fc, runs } from "../../test/support/property.ts";
import { LearnedRate } from "./learned-rate.ts";

/** Sends at its rate for so long, waiting for it each time; answers when. */
function busy(rate: LearnedRate, fromMs: number, forMs: number): number {
  let nowMs = fromMs;
  while (nowMs < fromMs + forMs) {
    rate.passed(nowMs, true);
    nowMs += 1_000 / rate.perSecond;
  }
  return nowMs;
}

describe("a learned rate", () => {
  test("begins a little under what is documented, and stays there", () => {
    const rate = new LearnedRate(30);
    busy(rate, 0, 60_000);
    expect(rate.perSecond).toBeCloseTo(29.4);
    expect(rate.state).toBeNull();
  });

  test("is lowered to a little under what has passed in a second", () => {
    const rate = new LearnedRate(30, { plateau: 15, busyMs: 0 });
    const nowMs = busy(rate, 0, 1_000);
    rate.refused(nowMs, nowMs);
    expect(rate.perSecond).toBeGreaterThan(14);
    expect(rate.perSecond).toBeLessThan(15);
    // Eleven passed in the time of eleven, after a hold.
    const later = new LearnedRate(30, { plateau: 18, busyMs: 0 });
    for (let n = 0; n < 11; n++) later.passed(5_000 + n * 55, true);
    later.refused(5_000 + 11 * 55, 5_700);
    expect(later.perSecond).toBeCloseTo(0.6 * 18);
    for (let n = 0; n < 10; n++) later.passed(7_000 + n * 92, true);
    later.refused(7_920, 7_930);
    expect(later.perSecond).toBeCloseTo(9.75);
  });

  test("several calls that left before a refusal was known lower it once", () => {
    const rate = new LearnedRate(30);
    const nowMs = busy(rate, 0, 2_000);
    rate.refused(nowMs, nowMs + 50);
    const once = rate.perSecond;
    for (const leftMs of [nowMs + 10, nowMs + 40, nowMs + 50]) rate.refused(leftMs, nowMs + 90);
    expect(rate.perSecond).toBe(once);
  });

  test("who sends now and then is lowered by a small step, and learns nothing from passing", () => {
    const rate = new LearnedRate(30);
    rate.passed(1_000, false);
    rate.refused(1_500, 1_500);
    expect(rate.perSecond).toBeCloseTo(0.975 * 29.4);
    const before = rate.perSecond;
    for (let nowMs = 2_000; nowMs < 600_000; nowMs += 400) rate.passed(nowMs, false);
    expect(rate.perSecond).toBe(before);
  });

  test("under load it stays where it is for a while, then grows, slowly near it and quickly far from it", () => {
    const rate = new LearnedRate(30, { plateau: 10, busyMs: 0 });
    let nowMs = busy(rate, 0, 20_000);
    expect(rate.perSecond).toBe(10);
    nowMs = busy(rate, nowMs, 8_000);
    expect(rate.perSecond).toBeLessThan(10.4);
    nowMs = busy(rate, nowMs, 20_000);
    expect(rate.perSecond).toBeGreaterThan(29);
    busy(rate, nowMs, 10_000);
    expect(rate.perSecond).toBeCloseTo(29.4);
    // At the documented limit there is nothing left to remember.
    expect(rate.state).toBeNull();
  });

  test("who is kept far below it by something else learns nothing of it", () => {
    const rate = new LearnedRate(30, { plateau: 10, busyMs: 0 });
    for (let nowMs = 0; nowMs < 120_000; nowMs += 200) rate.passed(nowMs, true);
    expect(rate.perSecond).toBe(10);
    for (let nowMs = 120_000; nowMs < 180_000; nowMs += 125) rate.passed(nowMs, true);
    expect(rate.perSecond).toBeGreaterThan(12);
  });

  test("what was kept goes on where it was", () => {
    const rate = new LearnedRate(30, { plateau: 10, busyMs: 0 });
    busy(rate, 0, 30_000);
    const again = new LearnedRate(30, rate.state);
    expect(again.perSecond).toBeCloseTo(rate.perSecond);
  });

  test("a ceiling that is raised is searched for, one that is lowered is kept at once", () => {
    const rate = new LearnedRate(30);
    rate.setCeiling(300);
    expect(rate.perSecond).toBeCloseTo(29.4);
    busy(rate, 0, 40_000);
    expect(rate.perSecond).toBeCloseTo(294);
    rate.setCeiling(5);
    expect(rate.perSecond).toBeCloseTo(4.9);
  });

  test("whatever happens it stays between one a second and its ceiling", () => {
    const step = fc.record({
      afterMs: fc.integer({ min: 0, max: 5_000 }),
      what: fc.constantFrom("passed", "waited", "refused"),
      late: fc.integer({ min: 0, max: 3_000 }),
    });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200 }),
        fc.integer({ min: 2, max: 1_000 }),
        (steps, ceiling) => {
          const rate = new LearnedRate(ceiling);
          let nowMs = 1_000_000;
          for (const { afterMs, what, late } of steps) {
            nowMs += afterMs;
            if (what === "refused") rate.refused(nowMs - late, nowMs);
            else rate.passed(nowMs - late, what === "waited");
            expect(rate.perSecond).toBeGreaterThanOrEqual(1);
            expect(rate.perSecond).toBeLessThanOrEqual(ceiling);
          }
        },
      ),
      { numRuns: runs(50) },
    );
  });
});
