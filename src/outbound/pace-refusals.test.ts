import { expect, test } from "@jest/globals";
import { DOCUMENTED_LIMITS, Pace } from "./pace.ts";

const T = 1_800_000_000_000;
const call = (chatId: string | null, leftMs: number, waited = true) => ({ chatId, leftMs, waited });

/** A bot that sends as fast as it may, to chats that got one message each; answers when it did last. */
function saturated(pace: Pace): number {
  let nowMs = T;
  for (let n = 0; n < 60; n++) {
    const chatId = String(1_000 + n);
    nowMs = pace.nextAtMs(chatId, nowMs);
    pace.choose(chatId, nowMs);
    pace.leave(chatId, nowMs);
    pace.passed(call(chatId, nowMs, n > 5), 5);
  }
  return nowMs;
}

test("a chat that has used its own limit is held, and others go on", () => {
  const pace = new Pace();
  for (let n = 0; n < 5; n++) pace.record("7", T + n * 10);
  expect(pace.refused(call("7", T + 40, false), T + 45, 3_000)).toEqual(["7"]);
  expect(pace.heldUntilMs("7")).toBe(T + 3_065);
  expect(pace.heldUntilMs("8")).toBe(0);
});

test("another chat's refusal right after it, and none that passed: the bot is held, to the later time", () => {
  const pace = new Pace();
  for (const chatId of ["7", "8"]) for (let n = 0; n < 5; n++) pace.record(chatId, T + n * 10);
  pace.refused(call("7", T + 40, false), T + 45, 9_000);
  const before = pace.rate.perSecond;
  expect(pace.refused(call("8", T + 60, false), T + 65, 1_000)).toEqual(["8", ""]);
  expect(pace.heldUntilMs(null)).toBe(T + 9_065);
  expect(pace.rate.perSecond).toBeLessThan(before);
});

test("one that passed in between says that each was its chat's", () => {
  const pace = new Pace();
  for (const chatId of ["7", "8"]) for (let n = 0; n < 5; n++) pace.record(chatId, T + n * 10);
  pace.refused(call("7", T + 40, false), T + 45, 9_000);
  pace.passed(call("9", T + 50, false), 5);
  expect(pace.refused(call("8", T + 60, false), T + 65, 1_000)).toEqual(["8"]);
  expect(pace.heldUntilMs(null)).toBe(0);
});

test("at the bot's rate, and with nobody under way who would tell, nothing is sent in order to see", () => {
  const pace = new Pace();
  const nowMs = saturated(pace) + 40;
  pace.choose("5", nowMs);
  pace.leave("5", nowMs);
  const before = pace.rate.perSecond;
  expect(pace.refused(call("5", nowMs), nowMs + 5, 1_000)).toEqual(["5", ""]);
  expect(pace.heldUntilMs("6")).toBe(nowMs + 1_025);
  expect(pace.rate.perSecond).toBeLessThan(before);
});

test("with calls of others under way it waits for their answers: passed, it was the chat's", () => {
  const pace = new Pace();
  const nowMs = saturated(pace) + 40;
  for (const [n, chatId] of ["5", "6"].entries()) {
    pace.choose(chatId, nowMs + n * 35);
    pace.leave(chatId, nowMs + n * 35);
  }
  const before = pace.rate.perSecond;
  expect(pace.refused(call("5", nowMs), nowMs + 40, 60_000)).toEqual(["5"]);
  expect(pace.heldUntilMs("9")).toBeGreaterThan(nowMs + 40);
  pace.passed(call("6", nowMs + 35), 10);
  expect(pace.heldUntilMs("9")).toBeLessThanOrEqual(nowMs + 40);
  expect(pace.heldUntilMs("5")).toBeGreaterThan(nowMs + 60_000);
  expect(pace.rate.perSecond).toBeCloseTo(before);
});

test("refused as well, it is the bot's, and the rate is lowered once for both", () => {
  const pace = new Pace();
  const nowMs = saturated(pace) + 40;
  for (const [n, chatId] of ["5", "6", "7"].entries()) {
    pace.choose(chatId, nowMs + n * 35);
    pace.leave(chatId, nowMs + n * 35);
  }
  pace.refused(call("5", nowMs), nowMs + 72, 1_000);
  expect(pace.refused(call("6", nowMs + 35), nowMs + 75, 2_000)).toEqual(["6", ""]);
  const once = pace.rate.perSecond;
  expect(pace.refused(call("7", nowMs + 70), nowMs + 76, 3_000)).toEqual(["7", ""]);
  expect(pace.rate.perSecond).toBe(once);
  expect(pace.heldUntilMs(null)).toBe(nowMs + 3_096);
});

test("a long hold that nobody confirmed keeps the others for five seconds at most", () => {
  const pace = new Pace(DOCUMENTED_LIMITS);
  const nowMs = saturated(pace) + 40;
  pace.choose("5", nowMs);
  pace.leave("5", nowMs);
  expect(pace.refused(call("5", nowMs), nowMs + 5, 60_000)).toEqual(["5"]);
  expect(pace.heldUntilMs("6")).toBe(nowMs + 5_005);
  expect(pace.heldUntilMs("5")).toBe(nowMs + 60_025);
});

test("a call that counts for no chat is refused for the bot", () => {
  const pace = new Pace();
  expect(pace.refused(call(null, T), T, 1_000)).toEqual([""]);
  expect(pace.heldUntilMs("6")).toBe(T + 1_020);
});
