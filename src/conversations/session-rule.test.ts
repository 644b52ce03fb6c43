import { describe, expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import { onClock, onMessage, type SessionState, timeoutOf, withStep } from "./session-rule.ts";

const HOUR = 3_600_000;
const T = 1_767_225_600_000;

const open = (lastAtMs: number): SessionState => ({ lastAtMs, endedAtMs: null });
const ended = (lastAtMs: number, endedAtMs: number): SessionState => ({ lastAtMs, endedAtMs });

describe("a session of n hours", () => {
  test("begins with the first message, and goes on with those that follow in time", () => {
    const first = onMessage(null, T, 2);
    expect(first).toMatchObject({ beginsAtMs: T, ended: null, state: open(T) });
    const second = onMessage(open(T), T + HOUR, 2);
    expect(second).toMatchObject({ beginsAtMs: null, ended: null, state: open(T + HOUR) });
  });

  test.each([
    ["1 ms before they are over: it goes on", -1, null],
    ["exactly then: another one begins", 0, T + 2 * HOUR],
    ["1 ms after: another one begins", 1, T + 2 * HOUR],
    ["a year after: it ended when it did", 8_760 * HOUR, T + 2 * HOUR],
  ])("a message %s", (_, laterMs, endedAtMs) => {
    const step = onMessage(open(T), T + 2 * HOUR + laterMs, 2);
    expect(step?.ended?.endedAtMs ?? null).toBe(endedAtMs);
    expect(step?.beginsAtMs ?? null).toBe(endedAtMs === null ? null : T + 2 * HOUR + laterMs);
  });

  test.each([
    [-1, null],
    [0, T + 2 * HOUR],
    [1, T + 2 * HOUR],
  ])("the clock comes by %d ms from its end", (fromEndMs, endedAtMs) => {
    const end = onClock(open(T), T + 2 * HOUR + fromEndMs, 2);
    expect(end?.endedAtMs ?? null).toBe(endedAtMs);
    if (end) expect(end).toMatchObject({ lastAtMs: T, reason: "timeout" });
  });

  test("that the clock ended goes on after all when a message from before its end comes late", () => {
    const over = ended(T, T + 2 * HOUR);
    expect(onMessage(over, T + HOUR, 2)).toMatchObject({
      resumes: true,
      beginsAtMs: null,
      state: open(T + HOUR),
    });
    expect(onMessage(over, T + 2 * HOUR, 2)).toMatchObject({
      resumes: false,
      ended: null,
      beginsAtMs: T + 2 * HOUR,
    });
  });

  test("a clock that goes back takes nothing away from it", () => {
    expect(onMessage(open(T), T - 5 * HOUR, 2)).toMatchObject({ state: open(T), ended: null });
    expect(onClock(open(T), T - 5 * HOUR, 2)).toBeNull();
  });
});

describe("without an end", () => {
  test("a session lasts for ever", () => {
    expect(onMessage(open(T), T + 100_000 * HOUR, 0)).toMatchObject({
      ended: null,
      beginsAtMs: null,
    });
    expect(onClock(open(T), T + 100_000 * HOUR, 0)).toBeNull();
    expect(timeoutOf(T, 0)).toBeNull();
  });
});

describe("without sessions", () => {
  test("none begins; one that runs ends with the next message, or with the clock", () => {
    expect(onMessage(null, T, -1)).toBeNull();
    expect(onMessage(ended(T, T + HOUR), T + 2 * HOUR, -1)).toBeNull();
    const end = { lastAtMs: T, endedAtMs: T + 5, reason: "switched_off" };
    expect(onMessage(open(T), T + 5, -1)).toMatchObject({ ended: end, beginsAtMs: null });
    expect(onClock(open(T), T + 5, -1)).toEqual(end);
    expect(onMessage(open(T), T - 5, -1)?.ended?.endedAtMs).toBe(T);
  });
});

describe("a setting that is changed while a session runs", () => {
  test.each([
    ["shorter: it was over already", 24, 1, T + HOUR],
    ["longer: it goes on", 1, 24, null],
    ["to none: it ends", 24, -1, T + 3 * HOUR],
    ["to no end: it goes on", 1, 0, null],
  ])("%s", (_, _before, after, endedAtMs) => {
    const step = onMessage(open(T), T + 3 * HOUR, after);
    expect(step?.ended?.endedAtMs ?? null).toBe(endedAtMs);
  });
});

/** Sessions as they stand in the end, from a history of messages and looks of the clock. */
interface Recorded {
  startedAtMs: number;
  endedAtMs: number | null;
}

function play(events: Array<{ atMs: number; isClock: boolean }>, hours: number): Recorded[] {
  const sessions: Recorded[] = [];
  let state = null as SessionState | null;
  for (const { atMs, isClock } of events) {
    const newest = sessions.at(-1);
    if (isClock) {
      if (state === null || state.endedAtMs !== null || newest === undefined) continue;
      const end = onClock(state, atMs, hours);
      if (end === null) continue;
      state = { ...state, endedAtMs: end.endedAtMs };
      newest.endedAtMs = end.endedAtMs;
      continue;
    }
    const step = onMessage(state, atMs, hours);
    if (step === null) continue;
    if (step.resumes && newest) newest.endedAtMs = null;
    if (step.ended && newest) newest.endedAtMs = step.ended.endedAtMs;
    if (step.beginsAtMs !== null) sessions.push({ startedAtMs: step.beginsAtMs, endedAtMs: null });
    state = step.state;
  }
  return sessions;
}

describe("whatever is said when", () => {
  const hours = fc.integer({ min: 1, max: 3 });
  // Minutes, so that exact hours are met often.
  const times = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 20 });
  const atMs = (n: number) => T + n * (HOUR / 4);

  test("in order, sessions are the stretches without a gap of n hours", () => {
    fc.assert(
      fc.property(times, hours, (all, n) => {
        const sorted = [...all].sort((a, b) => a - b).map(atMs);
        const expected: Recorded[] = [];
        for (const [index, time] of sorted.entries()) {
          const before = sorted[index - 1];
          const current = expected.at(-1);
          if (before !== undefined && current && time - before < n * HOUR) continue;
          if (current && before !== undefined) current.endedAtMs = before + n * HOUR;
          expected.push({ startedAtMs: time, endedAtMs: null });
        }
        expect(
          play(
            sorted.map((time) => ({ atMs: time, isClock: false })),
            n,
          ),
        ).toEqual(expected);
      }),
    );
  });

  test("in any order, looks of the clock in between change nothing in the end", () => {
    const event = fc.record({ at: fc.integer({ min: 0, max: 40 }), isClock: fc.boolean() });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 25 }), hours, (all, n) => {
        const events = all.map(({ at, isClock }) => ({ atMs: atMs(at), isClock }));
        const last = { atMs: atMs(1_000), isClock: true };
        const messages = events.filter(({ isClock }) => !isClock);
        expect(play([...events, last], n)).toEqual(play([...messages, last], n));
      }),
    );
  });

  test("a batch of steps sums up to what they come to one by one", () => {
    fc.assert(
      fc.property(times, fc.integer({ min: -1, max: 3 }), (all, n) => {
        const sessions: Recorded[] = [];
        let state = null as SessionState | null;
        let move: ReturnType<typeof withStep> | null = null;
        for (const time of all.map(atMs)) {
          const step = onMessage(state, time, n);
          if (step === null) continue;
          state = step.state;
          move = withStep(move, step);
        }
        for (const { startedAtMs, ended: end } of move?.begun ?? []) {
          sessions.push({ startedAtMs, endedAtMs: end?.endedAtMs ?? null });
        }
        const messages = all.map((at) => ({ atMs: atMs(at), isClock: false }));
        expect(sessions).toEqual(play(messages, n));
        expect(move?.state ?? null).toEqual(state);
      }),
    );
  });
});
