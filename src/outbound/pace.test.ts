import { describe, expect, test } from "@jest/globals";
import { fc } from "../../test/support/property.ts";
import { DOCUMENTED_LIMITS, isGroupChat, Pace } from "./pace.ts";

const CHATS = ["11", "22", "-33", "@channel"];

/** Sends as the drain does: at the next allowed time, or a little later. */
function send(pace: Pace, chatId: string, nowMs: number, cost: number): number {
  const chatMs = pace.chatNextAtMs(chatId, nowMs, cost);
  const atMs = Math.max(nowMs, chatMs, pace.botChoiceAtMs(nowMs, 0, cost));
  pace.record(chatId, atMs, cost);
  return atMs;
}

const steps = fc.array(
  fc.record({
    chat: fc.constantFrom(...CHATS),
    laterMs: fc.integer({ min: 0, max: 400 }),
    // More than one: an album. Those that no window holds are another test's.
    cost: fc.constantFrom(1, 1, 1, 2, 5),
    rebuild: fc.boolean(),
  }),
  { minLength: 1, maxLength: 200 },
);

describe("the pace", () => {
  test("never sends more than any window allows, also after it was rebuilt from what was sent", () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        let pace = new Pace();
        let nowMs = 1_000_000;
        const sent: { chat: string; atMs: number }[] = [];
        for (const { chat, laterMs, cost, rebuild } of sequence) {
          nowMs += laterMs;
          if (rebuild) {
            pace = new Pace();
            for (const one of sent) {
              if (one.atMs > nowMs - 61_000) pace.record(one.chat, one.atMs);
            }
          }
          nowMs = send(pace, chat, nowMs, cost);
          for (let n = 0; n < cost; n++) sent.push({ chat, atMs: nowMs });
        }
        const windows = [
          { of: () => true, windows: DOCUMENTED_LIMITS.bot },
          ...CHATS.map((chat) => ({
            of: (one: string) => one === chat,
            windows: isGroupChat(chat) ? DOCUMENTED_LIMITS.group : DOCUMENTED_LIMITS.chat,
          })),
        ];
        for (const { of, windows: limits } of windows) {
          const times = sent.filter((one) => of(one.chat)).map((one) => one.atMs);
          for (const { count, perMs } of limits) {
            for (let n = count; n < times.length; n++) {
              const first = times[n - count] ?? 0;
              expect((times[n] ?? 0) - first).toBeGreaterThanOrEqual(perMs);
            }
          }
        }
      }),
    );
  });

  test("counts what leaves when it leaves, however long that was after it was chosen", () => {
    const bot = { count: 4, perMs: 1_000 };
    const delays = fc.array(fc.integer({ min: 0, max: 2_500 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(delays, fc.integer({ min: 1, max: 50 }), (delaysMs, stepMs) => {
        const pace = new Pace({ bot: [bot], chat: [], group: [] });
        const waiting = [...delaysMs];
        const leaving: { chat: string; atMs: number }[] = [];
        const left: number[] = [];
        for (let nowMs = 0; waiting.length + leaving.length > 0; nowMs += stepMs) {
          for (const one of leaving.filter(({ atMs }) => atMs <= nowMs)) {
            pace.leave(one.chat, nowMs);
            left.push(nowMs);
            leaving.splice(leaving.indexOf(one), 1);
          }
          while (waiting.length > 0 && pace.botNextAtMs(nowMs) <= nowMs) {
            const chat = String(waiting.length);
            pace.choose(chat, nowMs);
            leaving.push({ chat, atMs: nowMs + (waiting.shift() ?? 0) });
          }
        }
        for (let n = bot.count; n < left.length; n++) {
          expect((left[n] ?? 0) - (left[n - bot.count] ?? 0)).toBeGreaterThanOrEqual(bot.perMs);
        }
      }),
    );
  });

  test("waits for what was chosen until it left, or will not leave", () => {
    const limits = {
      bot: [{ count: 1, perMs: 1_000 }],
      chat: [{ count: 1, perMs: 3_000 }],
      group: [],
    };
    const pace = new Pace(limits);
    pace.choose("11", 0);
    expect(pace.chatNextAtMs("11", 60_000)).toBe(63_000);
    expect(pace.chatNextAtMs("22", 60_000)).toBe(60_000);
    expect(pace.botNextAtMs(60_000)).toBeGreaterThan(61_000);
    // A little before its slot, so that its attempt is on record by then.
    const leadMs = 100;
    expect(pace.botChoiceAtMs(60_000, leadMs)).toBe(pace.botNextAtMs(60_000) - leadMs);
    pace.release("11");
    expect(pace.nextAtMs("11", 60_000)).toBe(60_000);
    pace.choose("22", 60_000);
    // It is in hand itself: others are not before it.
    expect(pace.turnAtMs("22", 60_000)).toBe(60_000);
    pace.leave("22", 60_500);
    expect(pace.chatNextAtMs("22", 60_600)).toBe(63_500);
    expect(pace.turnAtMs("11", 60_600)).toBeGreaterThan(61_400);
  });

  test("after a pause a few go in quick succession, then one after the other, evenly", () => {
    const pace = new Pace();
    const left: number[] = [];
    for (let nowMs = 0; nowMs < 5_000; nowMs++) {
      while (pace.turnAtMs(null, nowMs) <= nowMs) {
        pace.record(null, nowMs);
        left.push(nowMs);
      }
    }
    expect(left.slice(0, 3)).toEqual([0, 18, 36]);
    expect(left[8]).toBeLessThan(180);
    const gaps = left.slice(60).map((atMs, n) => atMs - (left[n + 59] ?? 0));
    expect(Math.max(...gaps)).toBeLessThan(180);
    expect(left.length).toBeGreaterThan(0.97 * 30 * 5);
  });

  test("an album leaves once there is room for all of it, in its chat and of the bot", () => {
    const pace = new Pace();
    for (let n = 0; n < 15; n++) pace.record("-7", 2_000 * n);
    // Fifteen of twenty a minute: room for five more, and for ten once the fifth of them is over.
    expect(pace.chatNextAtMs("-7", 40_000, 5)).toBe(40_000);
    expect(pace.chatNextAtMs("-7", 40_000, 10)).toBe(4 * 2_000 + 60_300);
    for (let n = 0; n < 29; n++) pace.record(null, 100_000 + n);
    expect(pace.turnAtMs("5", 100_100, 10)).toBeGreaterThan(100_950);
    pace.record("5", 102_000, 10);
    expect(pace.turnAtMs(null, 102_000)).toBeLessThan(102_100);
    expect(pace.turnAtMs("6", 102_000, 21)).toBeGreaterThan(102_900);
  });

  test("what no window can hold leaves once it is empty, and keeps what follows waiting", () => {
    const bot = [{ count: 3, perMs: 1_000 }];
    const pace = new Pace({ bot, chat: [{ count: 2, perMs: 5_000 }], group: [] });
    pace.record("5", 1_000);
    expect(pace.chatNextAtMs("5", 1_500, 10)).toBe(6_000);
    expect(pace.turnAtMs("5", 6_000, 10)).toBe(6_000);
    pace.leave("5", 6_000, { wasChosen: false, cost: 10 });
    expect(pace.chatNextAtMs("5", 6_100)).toBe(11_000);
    expect(pace.turnAtMs(null, 6_100)).toBeGreaterThan(8_000);
  });

  test("holds only move forward, and there is always a next time", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...CHATS, null), fc.integer({ min: 0, max: 9_000 }))),
        (holds) => {
          const pace = new Pace();
          const latest = new Map<string | null, number>();
          for (const [chat, untilMs] of holds) {
            pace.hold(chat, untilMs);
            latest.set(chat, Math.max(latest.get(chat) ?? 0, untilMs));
          }
          for (const chat of CHATS) {
            const expected = Math.max(latest.get(chat) ?? 0, latest.get(null) ?? 0, 100);
            expect(pace.nextAtMs(chat, 100)).toBe(expected);
          }
        },
      ),
    );
  });

  test("tells which chats wait, and until when", () => {
    const pace = new Pace();
    pace.hold("11", 5_000);
    pace.hold("22", 3_000);
    expect(pace.heldChats(1_000)).toEqual({ chatIds: ["11", "22"], untilMs: 3_000 });
    expect(pace.heldChats(4_000)).toEqual({ chatIds: ["11"], untilMs: 5_000 });
  });

  test("tells each chat that waits, whatever was chosen, left, released, held and moved", () => {
    const chat = fc.constantFrom(...CHATS);
    const step = fc.record({
      does: fc.constantFrom("choose", "leave", "release", "record", "hold", "move", "look"),
      chat,
      to: chat,
      laterMs: fc.constantFrom(0, 5, 400, 3_000, 20_000),
      cost: fc.constantFrom(1, 1, 4),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (sequence) => {
        const pace = new Pace();
        let nowMs = 1_000_000;
        const look = () => {
          const waiting = CHATS.filter((one) => pace.chatNextAtMs(one, nowMs) > nowMs);
          const { chatIds, untilMs } = pace.heldChats(nowMs);
          expect([...chatIds].sort()).toEqual([...waiting].sort());
          const times = waiting.map((one) => pace.chatNextAtMs(one, nowMs));
          expect(untilMs).toBe(times.length === 0 ? null : Math.min(...times));
        };
        for (const { does, chat: one, to, laterMs, cost } of sequence) {
          nowMs += laterMs;
          if (does === "choose") pace.choose(one, nowMs, cost);
          else if (does === "leave") pace.leave(one, nowMs, { cost });
          else if (does === "release") pace.release(one, cost);
          else if (does === "record") pace.record(one, nowMs - 2_000, cost);
          else if (does === "hold") pace.hold(one, nowMs + 1_000);
          else if (does === "move") pace.move(one, to);
          else look();
        }
        look();
      }),
    );
  });
});

test("a group's pace and hold go with it to its new id", () => {
  const pace = new Pace({ bot: [], chat: [], group: [{ count: 3, perMs: 1_000 }] });
  pace.record("-5", 100);
  pace.record("-1005", 110);
  pace.record("-5", 120);
  expect(pace.nextAtMs("-1005", 200)).toBe(200);
  pace.move("-5", "-1005");
  expect(pace.nextAtMs("-1005", 200)).toBe(1_100);
  expect(pace.nextAtMs("-5", 200)).toBe(200);
  pace.hold("-7", 5_000);
  pace.move("-7", "-1007");
  expect(pace.nextAtMs("-1007", 200)).toBe(5_000);
  expect(pace.nextAtMs("-7", 200)).toBe(200);
});
