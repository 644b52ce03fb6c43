import { expect, test } from "@jest/globals";
import { type Paced, Turns } from "./pace-turns.ts";

test("a bot whose calls are closer than a timer's tick waits once for those of a tick, and each has its own time", async () => {
  const everyMs = 0.5;
  let nowMs = 1_000;
  let looks = 0;
  let nextMs = nowMs;
  const pace: Paced = {
    chatNextAtMs: () => nowMs,
    // Asked once a look at the clock: a tick has passed since the last one that was followed by a wait.
    heldUntilMs: () => {
      looks++;
      return 0;
    },
    turnAtMs: () => nextMs,
    leave: (_chatId, leftMs) => {
      nextMs = leftMs + everyMs;
    },
  };
  let seen = 0;
  const clock = () => {
    // Looked at again without a call having left: it has waited.
    if (looks > seen + left.length) {
      seen = looks - left.length;
      nowMs += 1;
    }
    return nowMs;
  };
  const left: number[] = [];
  const turns = new Turns(pace, clock);
  const { signal } = new AbortController();
  for (let n = 0; n < 100; n++) {
    const call = { chatId: String(n), wasChosen: true, cost: 1 };
    left.push((await turns.take(call, signal)).leftMs);
  }
  expect(looks - left.length).toBeLessThanOrEqual(50);
  const gaps = left.slice(1).map((ms, n) => ms - (left[n] ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(everyMs);
});
