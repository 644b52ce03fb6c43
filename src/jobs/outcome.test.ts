import { describe, expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import { backoffCeilingMs, backoffDelayMs } from "./backoff.ts";
import { Discard, outcomeOfError, Pause, Retry } from "./errors.ts";
import { verdictOf } from "./outcome.ts";
import { QUEUE_POLICIES } from "./policies.ts";
import { QUEUES } from "./types.ts";

const job = { queue: "ingest" as const, maxAttempts: 3 };

describe("what an outcome makes of a job", () => {
  test("a failed attempt waits, until attempts are spent: then it is a dead letter", () => {
    const failure = { type: "retry" as const, errorClass: "E", error: "no" };
    expect(verdictOf(job, 1, failure, 0, () => 0.5)).toMatchObject({
      state: "retryable",
      spent: true,
      afterMs: 250,
    });
    expect(verdictOf(job, 3, failure, 0)).toMatchObject({ state: "discarded", error: "no" });
  });

  test("a pause spends no attempt, whatever the number of attempts", () => {
    const pause = { type: "pause" as const, untilMs: 1_500, reason: "429" };
    expect(verdictOf(job, 3, pause, 1_000)).toMatchObject({
      state: "retryable",
      spent: false,
      afterMs: 500,
    });
  });

  test("thrown errors say what they mean; anything else is a retry", () => {
    expect(outcomeOfError(new Retry("later", 7))).toMatchObject({ type: "retry", afterMs: 7 });
    expect(outcomeOfError(new Pause("flood", 9))).toMatchObject({ type: "pause", untilMs: 9 });
    expect(outcomeOfError(new Discard("never"))).toMatchObject({ type: "discard" });
    expect(outcomeOfError(new TypeError("bug"))).toMatchObject({
      type: "retry",
      errorClass: "TypeError",
    });
    expect(outcomeOfError("a string")).toMatchObject({ type: "retry", errorClass: "Error" });
  });
});

describe("backoff with full jitter", () => {
  test("stays between zero and a ceiling that doubles up to the cap", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.constantFrom(...QUEUES),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (failures, queue, random) => {
          const { backoff } = QUEUE_POLICIES[queue];
          const delay = backoffDelayMs(failures, backoff, () => random);
          expect(delay).toBeGreaterThanOrEqual(0);
          expect(delay).toBeLessThanOrEqual(backoff.capMs);
          expect(delay).toBeLessThanOrEqual(backoffCeilingMs(failures, backoff));
          expect(backoffCeilingMs(failures + 1, backoff)).toBeGreaterThanOrEqual(
            backoffCeilingMs(failures, backoff),
          );
        },
      ),
    );
  });

  test("an ingest head holds its chat for about a minute at the most", () => {
    const { backoff, maxAttempts } = QUEUE_POLICIES.ingest;
    let totalMs = 0;
    for (let failures = 1; failures < maxAttempts; failures++) {
      totalMs += backoffCeilingMs(failures, backoff);
    }
    expect(totalMs).toBeLessThanOrEqual(60_000);
    expect(totalMs).toBeGreaterThan(30_000);
  });
});
