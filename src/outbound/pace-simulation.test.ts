import { describe, expect, test } from "@jest/globals";
import { defaultLimits } from "../../sandbox/limits.ts";
import { RateLimiter, type RateWindow } from "../../sandbox/rate-limit.ts";
import { seededRandom } from "../../sandbox/seeded-random.ts";
import { LearnedRate, type LearnedState } from "./learned-rate.ts";
import { DOCUMENTED_LIMITS, isGroupChat, type LeftCall, Pace } from "./pace.ts";

/**
 * A bot with more to send than it may, against the sandbox's own counting of what arrives, on a clock
 * of the test's: calls take a few milliseconds each way, some of them far more, and now and then the
 * process stands still.
 */
interface Run {
  seed: number;
  chats: string[];
  seconds: number;
  /** Calls a second that the bot may make, as its workspace says. */
  ceiling?: number;
  /** What was learned before. */
  learned?: LearnedState;
  /** How long it takes at that second until a call that was chosen can leave. Default: no time. */
  beginMs?(second: number): number;
  /** As how many its nth call counts. Default: one. */
  costOf?(n: number): number;
  /** What the far end allows the bot at that second. */
  bot(second: number): RateWindow[];
}

interface Ran {
  /** When calls were accepted, in ms since the start, and where. */
  accepted: { atMs: number; chatId: string }[];
  calls: number;
  refused: number;
  /** Left though a refusal that forbids it had arrived. */
  inHold: number;
}

/** So much earlier a call is chosen than it can leave, where beginning takes its time (pace-flow.ts). */
const LEAD_MS = 300;
const START_MS = 1_800_000_000_000;

function run({ seed, chats, seconds, ceiling = 30, learned, costOf = () => 1, ...more }: Run): Ran {
  const { bot, beginMs } = more;
  const random = seededRandom(seed);
  const oneWayMs = () => 1 + 4 * random() + (random() < 0.01 ? 90 * random() : 0);
  const pace = new Pace(DOCUMENTED_LIMITS, new LearnedRate(ceiling, learned));
  const far = new RateLimiter(() => defaultLimits.violationPenaltyMs);
  const queues = [chats.filter((chat) => !isGroupChat(chat)), chats.filter(isGroupChat)];
  const busy = new Set<string>();
  let arriving: { atMs: number; call: LeftCall }[] = [];
  let answers: { atMs: number; call: LeftCall; retryAfterS: number | null }[] = [];
  const ran: Ran = { accepted: [], calls: 0, refused: 0, inHold: 0 };
  let farHeldUntilMs = 0;
  let stillUntilMs = 0;
  const begun: { readyMs: number; chatId: string; cost: number; waited: boolean }[] = [];
  let waitedMs = 0;
  let turn = 0;
  let chosen = 0;

  /** Private chats and groups in turn, of each the one that waits longest. */
  const next = (nowMs: number, cost: number): string | undefined => {
    for (const queue of [queues[turn % 2], queues[(turn + 1) % 2]]) {
      const at = queue?.findIndex(
        (chat) => !busy.has(chat) && pace.chatNextAtMs(chat, nowMs, cost) <= nowMs,
      );
      if (queue !== undefined && at !== undefined && at !== -1) {
        const [chat] = queue.splice(at, 1);
        if (chat !== undefined) queue.push(chat);
        return chat;
      }
    }
    return undefined;
  };
  const arrive = (nowMs: number) => {
    arriving.sort((a, b) => a.atMs - b.atMs);
    for (const { atMs, call } of arriving.filter((one) => one.atMs <= nowMs)) {
      const chat = String(call.chatId);
      const scopes = [
        { key: "bot", windows: bot((atMs - START_MS) / 1_000) },
        { key: `chat ${chat}`, windows: defaultLimits.chat },
        ...(isGroupChat(chat) ? [{ key: `group ${chat}`, windows: defaultLimits.group }] : []),
      ];
      const { cost = 1 } = call;
      const decision = far.take(atMs, cost, scopes);
      const retryAfterS = decision.allowed ? null : decision.retryAfterS;
      answers.push({ atMs: atMs + oneWayMs(), call, retryAfterS });
      for (let n = 0; decision.allowed && n < cost; n++) {
        ran.accepted.push({ atMs: atMs - START_MS, chatId: chat });
      }
    }
    arriving = arriving.filter((one) => one.atMs > nowMs);
  };
  const answer = (nowMs: number) => {
    for (const { call, retryAfterS } of answers.filter((one) => one.atMs <= nowMs)) {
      busy.delete(String(call.chatId));
      if (retryAfterS === null) pace.passed(call, nowMs - call.leftMs);
      else {
        ran.refused++;
        farHeldUntilMs = Math.max(farHeldUntilMs, nowMs + retryAfterS * 1_000);
        pace.refused(call, nowMs, retryAfterS * 1_000);
      }
    }
    answers = answers.filter((one) => one.atMs > nowMs);
  };

  /** Lets leave what has begun, in order; answers when the next may. */
  const leave = (nowMs: number): number => {
    for (;;) {
      const [first] = begun;
      if (first === undefined) return Number.POSITIVE_INFINITY;
      const { chatId, cost, waited } = first;
      if (first.readyMs > nowMs) return first.readyMs;
      if (pace.heldUntilMs(chatId) > nowMs) {
        begun.shift();
        pace.release(chatId, cost);
        busy.delete(chatId);
        continue;
      }
      const turnMs = pace.turnAtMs(chatId, nowMs, cost);
      if (turnMs > nowMs) return Math.ceil(turnMs);
      begun.shift();
      pace.leave(chatId, nowMs, { cost });
      ran.calls++;
      if (nowMs < farHeldUntilMs) ran.inHold++;
      arriving.push({ atMs: nowMs + oneWayMs(), call: { chatId, leftMs: nowMs, waited, cost } });
      // Now and then the process stands still.
      if (random() < 0.02) stillUntilMs = nowMs + 40 * random();
    }
  };

  /** Sends what may be sent now; answers when there may be more. */
  const send = (nowMs: number): number => {
    for (;;) {
      const leaveMs = leave(nowMs);
      const cost = costOf(chosen);
      const choiceMs = pace.botChoiceAtMs(nowMs, beginMs === undefined ? 0 : LEAD_MS, cost);
      if (choiceMs > nowMs) {
        if (pace.heldUntilMs(null) > nowMs) return Math.min(leaveMs, choiceMs);
        waitedMs = Math.ceil(choiceMs);
        pace.rate.noteLoad(nowMs);
        return Math.min(leaveMs, waitedMs);
      }
      const chatId = next(nowMs, cost);
      if (chatId === undefined) {
        return Math.min(leaveMs, pace.heldChats(nowMs).untilMs ?? Number.POSITIVE_INFINITY);
      }
      turn++;
      chosen++;
      const waits = pace.choose(chatId, nowMs, cost);
      busy.add(chatId);
      const waited = beginMs === undefined ? waitedMs >= nowMs - 40 : waits;
      const readyMs = nowMs + (beginMs?.((nowMs - START_MS) / 1_000) ?? 0);
      begun.push({ readyMs, chatId, cost, waited });
    }
  };

  let nowMs = START_MS;
  while (nowMs < START_MS + seconds * 1_000) {
    arrive(nowMs);
    let nextMs = stillUntilMs;
    if (nowMs >= stillUntilMs) {
      answer(nowMs);
      nextMs = Math.min(send(nowMs), ...answers.map(({ atMs }) => atMs));
    }
    nowMs = Math.ceil(Math.max(nowMs + 1, Math.min(nextMs, ...arriving.map(({ atMs }) => atMs))));
  }
  return ran;
}

const privateChats = (count: number) => Array.from({ length: count }, (_, n) => String(n + 1));
const groups = (count: number) => Array.from({ length: count }, (_, n) => String(-1_000 - n));
const perSecond = (ran: Ran, fromS: number, toS: number, of = (_chatId: string) => true) =>
  ran.accepted.filter(
    ({ atMs, chatId }) => atMs >= fromS * 1_000 && atMs < toS * 1_000 && of(chatId),
  ).length /
  (toS - fromS);

describe.each([1, 2])("a bot that has more to send than it may, in run %d", (seed) => {
  test("uses at least 97 % of what is documented, and is never refused", () => {
    const ran = run({ seed, chats: privateChats(500), seconds: 120, bot: () => defaultLimits.bot });
    expect(ran.refused).toBe(0);
    expect(perSecond(ran, 0, 120)).toBeGreaterThan(0.97 * 30);
  });

  test("finds limits that nobody told it, also when they change", () => {
    const limits = [11, 27, 19];
    const bot = (second: number) => [
      { limit: limits[Math.floor(second / 150)] ?? 0, windowMs: 1_000 },
    ];
    const ran = run({ seed, chats: privateChats(500), seconds: 450, bot });
    for (const [n, limit] of limits.entries()) {
      const used = perSecond(ran, 150 * n + 60, 150 * (n + 1)) / limit;
      expect({ limit, used, enough: used > 0.9 }).toMatchObject({ limit, enough: true });
    }
    expect(ran.refused / ran.calls).toBeLessThan(0.02);
    expect(ran.inHold).toBe(0);
  });

  test("albums among its messages count as many, and are never refused either", () => {
    const costOf = (n: number) => (n % 7 === 0 ? 10 : n % 5 === 0 ? 3 : 1);
    const chats = privateChats(500);
    const ran = run({ seed, chats, seconds: 120, costOf, bot: () => defaultLimits.bot });
    expect(ran.refused).toBe(0);
    // What leaves at once leaves the second's window at once, too.
    expect(perSecond(ran, 0, 120)).toBeGreaterThan(0.85 * 30);
  });

  test("climbs though calls take half a second to begin, and is not too fast once they don't", () => {
    const ran = run({
      seed,
      chats: privateChats(500),
      seconds: 240,
      learned: { plateau: 6, busyMs: 0 },
      beginMs: (second) => (second < 150 ? 500 : 10),
      bot: () => [{ limit: 20, windowMs: 1_000 }],
    });
    expect(perSecond(ran, 0, 20)).toBeLessThan(7);
    expect(perSecond(ran, 90, 150)).toBeGreaterThan(0.75 * 20);
    expect(perSecond(ran, 180, 240)).toBeGreaterThan(0.9 * 20);
    expect(ran.refused / ran.calls).toBeLessThan(0.02);
    expect(ran.inHold).toBe(0);
  });

  test("groups and private chats share what the bot may do", () => {
    const chats = [...privateChats(500), ...groups(300)];
    const ran = run({ seed, chats, seconds: 90, bot: () => defaultLimits.bot });
    expect(ran.refused).toBe(0);
    expect(perSecond(ran, 0, 90)).toBeGreaterThan(0.97 * 30);
    expect(perSecond(ran, 0, 90, isGroupChat)).toBeGreaterThan(14);
  });
});

test("each chat and group gets what is its own, where the bot may do more", () => {
  const chats = [...privateChats(8), ...groups(8)];
  const ran = run({ seed: 3, chats, seconds: 181, ceiling: 1_000, bot: () => [] });
  expect(ran.refused).toBe(0);
  expect(perSecond(ran, 0, 180, isGroupChat)).toBeGreaterThan((0.95 * 8 * 20) / 60);
  const ofPrivate = perSecond(ran, 0, 180, (chat) => !isGroupChat(chat));
  expect(ofPrivate).toBeGreaterThan((0.95 * 8 * 35) / 30);
});
