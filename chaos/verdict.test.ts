import { describe, expect, test } from "@jest/globals";
import {
  type ArrivedMessage,
  type AskedMessage,
  type EndedMessage,
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
const ended = (n: number, state = "sent", wasUnknown = false): EndedMessage => ({
  id: `m${n}`,
  state,
  wasUnknown,
});
const arrived = (...ns: number[]): ArrivedMessage[] =>
  ns.map((n) => ({ ...place, askedId: `m${n}` }));
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
    const ends = [ended(1, "unknown", true), ended(2, "unknown", true)];
    const verdict = judgeOutbound([asked(1), asked(2, "resend")], ends, []);
    expect(verdict.lost).toEqual(["m2"]);
  });

  test("twice is allowed only where nobody knew and it was to be resent", () => {
    const all = [asked(1, "resend"), asked(2, "hold"), asked(3, "resend")];
    const ends = [ended(1, "sent", true), ended(2, "sent", true), ended(3)];
    expect(judgeOutbound(all, ends, arrived(1, 1, 2, 2, 3, 3)).doubled).toEqual(["m2", "m3"]);
  });

  test("only what nobody knew of may leave its chat's order", () => {
    const all = [asked(1), asked(2), asked(3)];
    const ends = [ended(1, "sent", true), ended(2), ended(3)];
    expect(judgeOutbound(all, ends, arrived(2, 1, 3)).outOfOrder).toEqual([]);
    expect(judgeOutbound(all, [ended(1), ended(2), ended(3)], arrived(2, 1, 3)).outOfOrder).toEqual(
      ["m1"],
    );
  });
});

describe("the verdict on answers to commands", () => {
  const answer = { ...place, askedId: undefined };

  test("one each; an unknown one may be missing, none may come twice", () => {
    const commands = [said(1, true), said(2), said(3, true)];
    expect(judgeAnswers(commands, [answer, answer], new Map())).toEqual({ lost: [], doubled: [] });
    expect(judgeAnswers(commands, [answer], new Map([["c/1", 1]])).lost).toEqual([]);
    expect(judgeAnswers(commands, [answer], new Map()).lost).toEqual(["answer in c/1"]);
    expect(judgeAnswers(commands, [answer, answer, answer], new Map()).doubled).toHaveLength(1);
  });
});
