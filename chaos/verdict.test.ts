import { describe, expect, test } from "@jest/globals";
import {
  type AnswerMessage,
  type ArrivedMessage,
  type AskedMessage,
  type Attempt,
  type EndedMessage,
  hasPassed,
  judgeAnswers,
  judgeInbound,
  judgeOutbound,
  type SaidMessage,
} from "./verdict.ts";

const place = { connectorId: "c", chatId: "1" };
const said = (messageId: number, command = false): SaidMessage => ({
  ...place,
  messageId,
  command,
});
const kept = (...messageIds: number[]) => messageIds.map((messageId) => ({ ...place, messageId }));
const asked = (n: number, onUnknown: "resend" | "hold" = "hold"): AskedMessage => ({
  ...place,
  id: `m${n}`,
  n,
  onUnknown,
});
/** Attempts that began at these times, of which so many, from the first on, are unclear. */
const attempts = (unclear: number, ...startedAtMs: number[]): Attempt[] =>
  startedAtMs.map((atMs, n) => ({ startedAtMs: atMs, unclear: n < unclear }));
const ended = (n: number, state = "sent", tries = attempts(0, 0)): EndedMessage => ({
  id: `m${n}`,
  state,
  attempts: tries,
});
/** Messages that arrived, one after the other, in the ms that are their places. */
const arrived = (...ns: number[]): ArrivedMessage[] =>
  ns.map((n, atMs) => ({ ...place, askedId: `m${n}`, atMs, messageId: 100 + atMs }));
const fine = { lost: [], doubled: [], outOfOrder: [] };

describe("the verdict on what people said", () => {
  test("each once and in order is fine, chat by chat", () => {
    const other = { connectorId: "c", chatId: "2", messageId: 1 };
    const all = [...kept(1, 2), other, ...kept(3)];
    expect(judgeInbound([said(1), said(2), said(3), { ...other, command: false }], all)).toEqual(
      fine,
    );
  });

  test("tells what is lost, doubled and out of order", () => {
    const verdict = judgeInbound([said(1), said(2), said(3), said(4)], kept(1, 3, 2, 3));
    expect(verdict.lost).toEqual(["c/1/4"]);
    expect(verdict.doubled).toEqual(["c/1/3"]);
    expect(verdict.outOfOrder).toEqual(["c/1/2"]);
  });
});

describe("the verdict on what callers asked for", () => {
  test("each once and in order is fine", () => {
    expect(judgeOutbound([asked(1), asked(2)], [ended(1), ended(2)], arrived(1, 2))).toEqual(fine);
  });

  test("accepted and never sent, or not even known, is lost", () => {
    const verdict = judgeOutbound([asked(1), asked(2)], [ended(1)], []);
    expect(verdict.lost).toEqual(["m1", "m2"]);
  });

  test("unknown and held may be unsent; unknown and to be resent may not", () => {
    const ends = [ended(1, "unknown", attempts(1, 0)), ended(2, "unknown", attempts(1, 0))];
    const verdict = judgeOutbound([asked(1), asked(2, "resend")], ends, []);
    expect(verdict.lost).toEqual(["m2"]);
  });

  test("twice is allowed only where nobody knew and it was to be resent", () => {
    const all = [asked(1, "resend"), asked(2, "hold"), asked(3, "resend")];
    const ends = [
      ended(1, "sent", attempts(1, 0, 1)),
      ended(2, "sent", attempts(1, 2, 3)),
      ended(3, "sent", attempts(0, 4, 5)),
    ];
    expect(judgeOutbound(all, ends, arrived(1, 1, 2, 2, 3, 3)).doubled).toEqual(["m2", "m3"]);
  });

  test("an attempt that never reached Telegram excuses no doubling", () => {
    // The first attempt's worker died before its request left; the second arrived twice.
    const ends = [ended(1, "sent", attempts(1, -5, 0))];
    expect(judgeOutbound([asked(1, "resend")], ends, arrived(1, 1)).doubled).toEqual(["m1"]);
    // Three arrivals of two attempts are one too many, whatever was unclear.
    const both = [ended(1, "sent", attempts(2, 0, 1))];
    expect(judgeOutbound([asked(1, "resend")], both, arrived(1, 1, 1)).doubled).toEqual(["m1"]);
    expect(judgeOutbound([asked(1, "resend")], both, arrived(1, 1)).doubled).toEqual([]);
  });

  test("only what nobody knew of may leave its chat's order", () => {
    const all = [asked(1), asked(2), asked(3)];
    const ends = [ended(1, "sent", attempts(1, 0)), ended(2), ended(3)];
    expect(judgeOutbound(all, ends, arrived(2, 1, 3)).outOfOrder).toEqual([]);
    expect(judgeOutbound(all, [ended(1), ended(2), ended(3)], arrived(2, 1, 3)).outOfOrder).toEqual(
      ["m1"],
    );
  });
});

describe("the verdict on answers to commands", () => {
  const commands = [said(1, true), said(2), said(3, true)];
  /** The answer to a message: known under these ids of Telegram. */
  const answer = (to: number, more: Partial<AnswerMessage> = {}): AnswerMessage => ({
    ...place,
    toMessageId: to,
    state: "sent",
    onUnknown: "resend",
    attempts: attempts(0, to * 10),
    telegramIds: [100 + to],
    ...more,
  });
  const came = (atMs: number, messageId: number): ArrivedMessage => ({
    ...place,
    askedId: undefined,
    atMs,
    messageId,
  });
  const nothing = { lost: [], doubled: [] };

  test("one each, sent once, is fine; one too few is lost", () => {
    const both = [answer(1), answer(3)];
    expect(judgeAnswers(commands, both, [came(11, 101), came(31, 103)])).toEqual(nothing);
    expect(judgeAnswers(commands, both, [came(11, 101)]).lost).toEqual(["answer to c/1/3"]);
    expect(judgeAnswers(commands, [answer(1)], [came(11, 101)]).lost).toEqual(["answer to c/1/3"]);
  });

  test("one lost and one doubled in a chat do not make up for each other", () => {
    const both = [answer(1), answer(3)];
    expect(judgeAnswers(commands, both, [came(11, 101), came(12, 109)])).toEqual({
      lost: ["answer to c/1/3"],
      doubled: ["answer to c/1/1"],
    });
    const twice = [answer(1), answer(1, { telegramIds: [102], attempts: attempts(0, 20) })];
    expect(judgeAnswers(commands, twice, [came(11, 101), came(21, 102)])).toEqual({
      lost: ["answer to c/1/3"],
      doubled: ["answer to c/1/1"],
    });
  });

  test("unknown, it may be missing where it is held, and come twice where it is resent", () => {
    const unknown = { state: "unknown", telegramIds: [], attempts: attempts(1, 30) };
    const held = [answer(1), answer(3, { ...unknown, onUnknown: "hold" })];
    expect(judgeAnswers(commands, held, [came(11, 101)])).toEqual(nothing);
    expect(judgeAnswers(commands, held, [came(11, 101), came(31, 104)])).toEqual(nothing);
    const resent = [answer(1), answer(3, { attempts: attempts(1, 30, 40) })];
    const all = [came(11, 101), came(31, 104), came(41, 103)];
    expect(judgeAnswers(commands, resent, all)).toEqual(nothing);
    const heldTwice = [answer(1), answer(3, { attempts: attempts(1, 30, 40), onUnknown: "hold" })];
    expect(judgeAnswers(commands, heldTwice, all).doubled).toEqual(["answer to c/1/3"]);
  });

  test("what nobody was sending is told", () => {
    expect(judgeAnswers([], [], [came(5, 100)]).doubled).toEqual(["c/1/100: nobody's answer"]);
  });
});

describe("the verdict on the run", () => {
  const nothing = { lost: [], doubled: [], outOfOrder: [], strays: [], unsound: [], slow: [] };
  const good = { settled: true, ...nothing };

  test("a run passes only when it settled, with nothing lost, doubled, stray or slow", () => {
    expect(hasPassed(good)).toBe(true);
    expect(hasPassed({ ...good, settled: false })).toBe(false);
    for (const kind of Object.keys(nothing)) {
      expect(hasPassed({ ...good, [kind]: ["one"] })).toBe(false);
    }
  });
});
