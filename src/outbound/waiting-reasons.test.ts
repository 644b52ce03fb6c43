import { expect, test } from "@jest/globals";
import { COUNTED, type WaitingFacts, waitingReasons } from "./waiting-reasons.ts";

const now = new Date("2026-05-01T12:00:00Z");
const later = (s: number) => new Date(now.getTime() + s * 1_000);
type Place = WaitingFacts["place"];

const job: NonNullable<Place["job"]> = {
  state: "available",
  runAt: now,
  isScheduled: false,
  beforeInKey: 0,
  firstInKey: null,
  beforeInLane: 0,
};

function reasonsOf(facts: Partial<WaitingFacts>, place: Partial<Place> = {}) {
  return waitingReasons({
    state: "queued",
    sendAt: null,
    isRefused: false,
    botHeldUntil: null,
    chatHeldUntil: null,
    chatFreeAt: now,
    perSecond: 20,
    place: { isPaused: false, inKey: 1, job, ...place },
    now,
    ...facts,
  }).map(({ detail, ...reason }) => {
    expect(detail).toMatch(/^[A-Z0-9].*\.$/);
    return reason;
  });
}
const place = (more: Partial<typeof job>): Partial<Place> => ({ job: { ...job, ...more } });

test("nothing keeps it: its turn is now", () => {
  expect(reasonsOf({})).toEqual([{ reason: "next" }]);
  expect(reasonsOf({}, { job: null })).toEqual([{ reason: "next" }]);
});

test("somebody has to approve it, and then it may still have to wait for its time", () => {
  const facts = { state: "awaiting_approval", sendAt: later(60) } as const;
  expect(reasonsOf(facts, { job: null })).toEqual([
    { reason: "approval" },
    { reason: "time", until: later(60).toISOString() },
  ]);
});

test("a later time says enough: nothing else matters before", () => {
  const waits = place({ isScheduled: true, runAt: later(60), beforeInKey: 3, beforeInLane: 9 });
  expect(reasonsOf({ botHeldUntil: later(5) }, waits)).toEqual([
    { reason: "time", until: later(60).toISOString() },
  ]);
});

test("what keeps the whole bot stands before what keeps the chat, and that before its turn", () => {
  const first = { messageId: "m-1" };
  const waits = place({ beforeInKey: 2, firstInKey: first, beforeInLane: 50 });
  const facts = { isRefused: true, botHeldUntil: later(9), chatHeldUntil: later(30) };
  expect(reasonsOf(facts, { ...waits, isPaused: true })).toEqual([
    { reason: "token" },
    { reason: "paused" },
    { reason: "bot-held", until: later(9).toISOString() },
    { reason: "chat-held", until: later(30).toISOString() },
    { reason: "earlier-message", before: 2, messageId: "m-1" },
    { reason: "bot-rate", before: 50, aboutS: 3 },
  ]);
});

test("a chat that has had all it may has no hold of Telegram's; a moment is nothing to tell of", () => {
  expect(reasonsOf({ chatFreeAt: later(20) })).toEqual([
    { reason: "chat-limit", until: later(20).toISOString() },
  ]);
  expect(reasonsOf({ chatFreeAt: later(0.5) })).toEqual([{ reason: "next" }]);
  const held = { chatHeldUntil: later(20), chatFreeAt: later(20.1) };
  expect(reasonsOf(held).map(({ reason }) => reason)).toEqual(["chat-held"]);
});

test("a try that failed waits for the next one; one under way is being sent", () => {
  const again = place({ state: "retryable", runAt: later(4) });
  expect(reasonsOf({}, again)).toEqual([{ reason: "retry", until: later(4).toISOString() }]);
  expect(reasonsOf({ state: "sending" }, place({ state: "running" }))).toEqual([
    { reason: "sending" },
  ]);
});

test("what is beyond counting is said to be more than was counted", () => {
  expect(reasonsOf({}, place({ beforeInLane: COUNTED }))).toEqual([
    { reason: "bot-rate", before: COUNTED, more: true, aboutS: COUNTED / 20 },
  ]);
  expect(reasonsOf({}, { job: null, inKey: COUNTED })).toEqual([
    { reason: "earlier-message", before: COUNTED, more: true },
  ]);
});
