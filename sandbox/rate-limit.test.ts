import { describe, expect, test } from "@jest/globals";
import { fc } from "../test/support/property.ts";
import { RateLimiter, RateMeter, type RateWindow } from "./rate-limit.ts";

const windows = fc.array(
  fc.record({
    limit: fc.integer({ min: 1, max: 6 }),
    windowMs: fc.integer({ min: 1, max: 5_000 }),
  }),
  { minLength: 1, maxLength: 3 },
);
/** Gaps between calls, in the range of the windows, with many at once. */
const gaps = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3_000 })), {
  maxLength: 120,
});

function run(limits: RateWindow[], between: number[], penaltyMs = 1_000) {
  const meter = new RateMeter(limits, penaltyMs);
  const accepted: number[] = [];
  let nowMs = 1_000_000;
  for (const gap of between) {
    nowMs += gap;
    if (!meter.check(nowMs, 1).allowed) continue;
    meter.accept(nowMs, 1);
    accepted.push(nowMs);
  }
  return accepted;
}

describe("sliding windows", () => {
  test("never accept more than the limit in any window, whatever the arrival times", () => {
    fc.assert(
      fc.property(windows, gaps, (limits, between) => {
        const accepted = run(limits, between, 0);
        for (const { limit, windowMs } of limits)
          for (const start of accepted)
            expect(
              accepted.filter((at) => at >= start && at < start + windowMs).length,
            ).toBeLessThanOrEqual(limit);
      }),
    );
  });

  test("accept whoever waits out each retry_after", () => {
    fc.assert(
      fc.property(windows, fc.integer({ min: 1, max: 40 }), (limits, calls) => {
        const meter = new RateMeter(limits, 1_000);
        let nowMs = 0;
        for (let done = 0; done < calls; done++) {
          const first = meter.check(nowMs, 1);
          if (!first.allowed) {
            nowMs += first.retryAfterS * 1_000;
            expect(meter.check(nowMs, 1)).toEqual({ allowed: true });
          }
          meter.accept(nowMs, 1);
        }
      }),
    );
  });

  test("accept a steady call within the limit, for ever", () => {
    const limits = [{ limit: 30, windowMs: 1_000 }];
    expect(
      run(
        limits,
        Array.from({ length: 500 }, () => 34),
      ),
    ).toHaveLength(500);
  });

  test("make the hold longer for calls made during it", () => {
    const meter = new RateMeter([{ limit: 1, windowMs: 2_000 }], 1_000);
    meter.accept(0, 1);
    expect(meter.check(0, 1)).toEqual({ allowed: false, retryAfterS: 2, violation: false });
    expect(meter.check(500, 1)).toEqual({ allowed: false, retryAfterS: 3, violation: true });
    expect(meter.check(2_999, 1)).toMatchObject({ allowed: false, violation: true });
    expect(meter.check(4_000, 1)).toEqual({ allowed: true });
  });

  test("count a call in no scope when one of them refuses", () => {
    const limiter = new RateLimiter(() => 0);
    const bot = { key: "bot", windows: [{ limit: 2, windowMs: 1_000 }] };
    const chat = (name: string) => ({ key: name, windows: [{ limit: 1, windowMs: 10_000 }] });
    expect(limiter.take(0, 1, [bot, chat("a")]).allowed).toBe(true);
    expect(limiter.take(0, 1, [bot, chat("a")]).allowed).toBe(false);
    expect(limiter.take(0, 1, [bot, chat("b")]).allowed).toBe(true);
    expect(limiter.take(0, 1, [bot, chat("c")]).allowed).toBe(false);
  });

  test("let an album through that is larger than the window, once it is empty", () => {
    const meter = new RateMeter([{ limit: 5, windowMs: 1_000 }], 0);
    expect(meter.check(0, 10)).toEqual({ allowed: true });
    meter.accept(0, 10);
    expect(meter.check(999, 1).allowed).toBe(false);
    expect(meter.check(2_000, 10)).toEqual({ allowed: true });
  });
});
