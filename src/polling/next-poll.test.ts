import { describe, expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import { FIRST_POLL, nextPoll, type PollOutcome, type PollState } from "./next-poll.ts";

const failing: PollOutcome[] = [
  { type: "refused" },
  { type: "second-poller" },
  { type: "webhook", withdrawn: false },
  { type: "rate-limited" },
  { type: "failed" },
  { type: "not-stored" },
];
const answered: PollOutcome = { type: "answered", undisturbed: false };
const undisturbed: PollOutcome = { type: "answered", undisturbed: true };
const withdrawn: PollOutcome = { type: "webhook", withdrawn: true };
const conflict: PollOutcome = { type: "second-poller" };

/** What follows from outcomes, one after the other. */
function stateAfter(...outcomes: PollOutcome[]): PollState {
  return outcomes.reduce((state, outcome) => nextPoll(state, outcome).state, FIRST_POLL);
}

describe("when to ask again", () => {
  test("at once after an answer, and after a webhook was taken back for the first time", () => {
    expect(nextPoll(FIRST_POLL, answered).waitMs).toBe(0);
    expect(nextPoll(FIRST_POLL, withdrawn).waitMs).toBe(0);
    expect(nextPoll(stateAfter(withdrawn), withdrawn).waitMs).toBeGreaterThan(0);
    expect(nextPoll(stateAfter(withdrawn, answered), withdrawn).waitMs).toBe(0);
  });

  test("whatever goes wrong, and however often: after a pause, of a minute at most", () => {
    const outcome = fc.constantFrom(...failing);
    fc.assert(
      fc.property(
        fc.array(outcome, { minLength: 1, maxLength: 60 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (outcomes, random) => {
          let state = FIRST_POLL;
          for (const one of outcomes) {
            const next = nextPoll(state, one, () => random);
            if (next.disable) return;
            expect(next.waitMs).toBeGreaterThanOrEqual(100);
            expect(next.waitMs).toBeLessThanOrEqual(60_000);
            state = next.state;
          }
        },
      ),
    );
  });

  test("later and later while it goes on, and as at first after an answer", () => {
    for (const one of [conflict, { type: "failed" }, { type: "not-stored" }] as PollOutcome[]) {
      const waits: number[] = [];
      let state = FIRST_POLL;
      for (let n = 0; n < 4; n++) {
        const next = nextPoll(state, one, () => 0.5);
        waits.push(next.waitMs);
        state = next.state;
      }
      expect(waits).toEqual([...waits].sort((a, b) => a - b));
      expect(new Set(waits).size).toBe(4);
      const again = nextPoll(nextPoll(state, undisturbed).state, one, () => 0.5);
      expect(again.waitMs).toBe(waits[0]);
    }
  });

  test("429: not before Telegram says, and soon after that; within an hour in any case", () => {
    const forAges: PollOutcome = { type: "rate-limited", retryAfterS: 1e12 };
    expect(nextPoll(FIRST_POLL, forAges).waitMs).toBe(3_600_000);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3_500 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (retryAfterS, random) => {
          const limited: PollOutcome = { type: "rate-limited", retryAfterS };
          const { waitMs } = nextPoll(FIRST_POLL, limited, () => random);
          expect(waitMs).toBeGreaterThanOrEqual(retryAfterS * 1_000);
          expect(waitMs).toBeLessThanOrEqual(retryAfterS * 1_000 + 1_000);
        },
      ),
    );
  });
});

describe("a token that is refused", () => {
  test("twice in a row is refused for good: the first may have been replaced a moment ago", () => {
    const first = nextPoll(FIRST_POLL, { type: "refused" });
    expect(first).toMatchObject({ disable: false });
    expect(first.waitMs).toBeGreaterThan(1_000);
    expect(nextPoll(first.state, { type: "refused" }).disable).toBe(true);
    expect(nextPoll(stateAfter({ type: "refused" }, answered), { type: "refused" }).disable).toBe(
      false,
    );
  });
});

describe("what is told", () => {
  test("a second poller, from the third conflict until one request was left in peace", () => {
    expect(stateAfter(conflict, conflict).trouble).toBeNull();
    const told = stateAfter(conflict, conflict, conflict);
    expect(told.trouble).toMatch(/two programs use its token/);
    expect(nextPoll(told, answered).state.trouble).toBe(told.trouble);
    expect(nextPoll(told, { type: "failed" }).state.trouble).toBe(told.trouble);
    expect(nextPoll(told, undisturbed).state.trouble).toBeNull();
    expect(stateAfter(conflict, conflict, conflict, answered, answered).trouble).toBeNull();
  });

  test("a webhook that comes back again and again", () => {
    expect(stateAfter(withdrawn).trouble).toBeNull();
    expect(stateAfter(withdrawn, withdrawn, withdrawn).trouble).toMatch(/sets a webhook/);
    const busy: PollOutcome = { type: "webhook", withdrawn: false };
    expect(stateAfter(busy, busy, busy, busy).trouble).toBeNull();
  });
});
