import { LearnedRate } from "./learned-rate.ts";
import { BotBucket } from "./pace-bucket.ts";
import { Refusals } from "./pace-refusals.ts";
import { SlidingWindows, type Window } from "./pace-windows.ts";

/**
 * One bot's pace, decided without I/O: the bot's calls evenly spaced at a rate that is learned, each
 * chat's in sliding windows, and holds that Telegram set (429, `retry_after`). Documented limits (Bot
 * API FAQ: 30/s a bot, 1/s a chat with short bursts, 20/min a group) are the starting values. Times
 * are ms since the epoch, passed in.
 */
export interface PaceLimits {
  bot: Window[];
  chat: Window[];
  group: Window[];
}

/** A little longer than documented, because requests arrive less evenly than they leave. */
export const DOCUMENTED_LIMITS: PaceLimits = {
  bot: [{ count: 30, perMs: 1_000 }],
  chat: [
    { count: 5, perMs: 1_050 },
    { count: 12, perMs: 8_000 },
    { count: 35, perMs: 30_300 },
  ],
  group: [
    { count: 5, perMs: 1_050 },
    { count: 8, perMs: 10_000 },
    { count: 20, perMs: 60_300 },
  ],
};

/** Bot API: no more, paid broadcasts included. */
const MOST_PER_SECOND = 1_000;

/** The bot's calls a second that these limits allow. */
export const ceilingOf = (limits: PaceLimits): number =>
  Math.min(MOST_PER_SECOND, ...limits.bot.map(({ count, perMs }) => (count / perMs) * 1_000));

/** Chats are dropped from memory once nothing of them can matter any more. */
const MAX_CHATS = 10_000;
/** A 429 ends its hold when it says, by Telegram's clock; ours counts whole milliseconds. */
const HOLD_MARGIN_MS = 20;
/** Nobody has confirmed that it is the bot which is held: it is tried again after this at the latest. */
const LIKELY_HOLD_MS = 5_000;
/** Who has used no more of a limit than this was hardly refused because of it. */
const LITTLE_USE = 0.25;

/** Groups and channels have negative ids or names; private chats positive ids. */
export const isGroupChat = (chatId: string): boolean => /^[-@]/.test(chatId);

/** A call that left. */
export interface LeftCall {
  /** Null: it counts for the bot only. */
  chatId: string | null;
  leftMs: number;
  /** It would have left earlier but for the bot's rate. */
  waited: boolean;
  /** As how many Telegram counts it; default: one. */
  cost?: number;
}

export class Pace {
  readonly rate: LearnedRate;
  private readonly limits: PaceLimits;
  private readonly bot: BotBucket;
  private readonly chats = new Map<string, SlidingWindows>();
  private readonly holds = new Map<string, number>();
  /**
   * Chats that may have to wait: all that have changed since they were seen not to. One that does not wait
   * will not later, unless something more is sent to it.
   */
  private readonly mayWait = new Set<string>();
  private botHeldUntilMs = 0;
  private likelyHeldUntilMs = 0;
  private readonly refusals = new Refusals();
  /** Calls that have no answer yet, by chat: when they left. */
  private readonly underWay = new Map<string, number>();
  private tidyAbove = MAX_CHATS;

  constructor(
    limits: PaceLimits = DOCUMENTED_LIMITS,
    rate: LearnedRate = new LearnedRate(ceilingOf(limits)),
  ) {
    this.limits = limits;
    this.rate = rate;
    this.bot = new BotBucket(() => rate.perSecond);
  }

  /** Until when Telegram holds the bot, or it and this chat; a time that is over: it does not. */
  heldUntilMs(chatId: string | null): number {
    const chatMs = chatId === null ? 0 : (this.holds.get(chatId) ?? 0);
    return Math.max(this.botHeldUntilMs, this.likelyHeldUntilMs, chatMs);
  }

  /** When the bot as a whole may send again, after what was chosen. */
  botNextAtMs(nowMs: number): number {
    return Math.max(this.heldUntilMs(null), this.bot.nextAtMs(nowMs));
  }

  /**
   * When one more call of the bot may be chosen, which takes about `leadMs` until it can leave: early
   * enough for its slot. A hold is over before anything is chosen. `cost`: as how many it counts.
   */
  botChoiceAtMs(nowMs: number, leadMs: number, cost = 1): number {
    const botMs = this.bot.nextAtMs(nowMs, undefined, cost);
    return Math.max(nowMs, this.heldUntilMs(null), botMs - leadMs);
  }

  /** When this chat's own limits and hold allow one more call, of that cost. */
  chatNextAtMs(chatId: string, nowMs: number, cost = 1): number {
    const windowMs = this.chats.get(chatId)?.nextAtMs(nowMs, undefined, cost) ?? nowMs;
    return Math.max(windowMs, this.holds.get(chatId) ?? 0);
  }

  /** When this chat may be sent to; `null` for calls that count for the bot only. */
  nextAtMs(chatId: string | null, nowMs: number): number {
    const botMs = this.botNextAtMs(nowMs);
    return chatId === null ? botMs : Math.max(botMs, this.chatNextAtMs(chatId, nowMs));
  }

  /** When the call that is first in turn may leave, holds apart. */
  turnAtMs(chatId: string | null, nowMs: number, cost = 1): number {
    const chat = chatId === null ? undefined : this.chats.get(chatId);
    const chatMs = chat?.nextAtMs(nowMs, 0, cost) ?? nowMs;
    return Math.max(this.bot.nextAtMs(nowMs, 0, cost), chatMs);
  }

  /**
   * It is about to be sent: `leave` says when it was, `release` that it will not be. Answers whether it
   * could leave earlier but for the bot's rate, however long it takes until it can.
   */
  choose(chatId: string | null, nowMs: number, cost = 1): boolean {
    const waits = this.bot.nextAtMs(nowMs, undefined, cost) > nowMs;
    for (const each of this.countersOf(chatId, nowMs)) each.choose(cost);
    return waits;
  }

  /** What was chosen will not leave. */
  release(chatId: string | null, cost = 1): void {
    this.bot.release(cost);
    if (chatId !== null) this.chats.get(chatId)?.release(cost);
  }

  /** A call leaves now. `wasChosen`: it is in hand no more. */
  leave(chatId: string | null, atMs: number, { wasChosen = true, cost = 1 } = {}): void {
    for (const each of this.countersOf(chatId, atMs)) {
      if (wasChosen) each.release(cost);
      each.leave(atMs, cost);
    }
    if (chatId !== null) this.underWay.set(chatId, atMs);
  }

  /** Something was sent that did not leave here. */
  record(chatId: string | null, atMs: number, cost = 1): void {
    for (const each of this.countersOf(chatId, atMs)) each.record(atMs, cost);
  }

  /**
   * Telegram took a call, whatever it made of it, and answered after `tookMs`; null: that says nothing
   * of its way there.
   */
  passed({ chatId, leftMs, waited, cost = 1 }: LeftCall, tookMs: number | null): void {
    this.ended(chatId);
    this.bot.answered(leftMs, tookMs);
    this.rate.passed(leftMs, waited, cost);
    if (this.refusals.passed(chatId, leftMs)) this.likelyHeldUntilMs = 0;
  }

  /** Nobody knows what became of the call in this chat. */
  ended(chatId: string | null): void {
    if (chatId !== null) this.underWay.delete(chatId);
  }

  /**
   * Telegram refused a call for `retryAfterMs` from now. Answers whom it holds: chats, '' being the
   * bot.
   */
  refused({ chatId, leftMs }: LeftCall, nowMs: number, retryAfterMs: number): string[] {
    this.ended(chatId);
    this.bot.answered(leftMs, nowMs - leftMs);
    const chat = chatId === null ? undefined : this.chats.get(chatId);
    const botUse = this.rate.isUnderLoad(nowMs) ? 1 : this.bot.use(nowMs);
    const isBotNearer = botUse > Math.max(LITTLE_USE, chat?.use(nowMs) ?? 0);
    const othersUnderWay = [...this.underWay.values()].some((otherMs) => otherMs >= leftMs);
    const untilMs = nowMs + retryAfterMs + HOLD_MARGIN_MS;
    const call = { chatId, leftMs, untilMs };
    const refusal = this.refusals.refused(call, { nowMs, isBotNearer, othersUnderWay });
    const held = chatId === null ? [] : [chatId];
    if (chatId !== null) this.hold(chatId, untilMs);
    if (refusal.whose === "chat") return held;
    const likelyMs = Math.min(untilMs, nowMs + LIKELY_HOLD_MS);
    this.likelyHeldUntilMs = Math.max(this.likelyHeldUntilMs, likelyMs);
    if (refusal.whose === "undecided") return held;
    this.rate.refused(refusal.leftMs, nowMs);
    if (refusal.whose === "bot") this.hold(null, refusal.untilMs);
    // What nobody has confirmed stands on record for as long as it is believed, or not at all.
    return refusal.whose === "bot" || likelyMs === untilMs ? [...held, ""] : held;
  }

  /** Holds a chat, or the bot (`null`). A deadline only moves forward. */
  hold(chatId: string | null, untilMs: number): void {
    if (chatId === null) this.botHeldUntilMs = Math.max(this.botHeldUntilMs, untilMs);
    else {
      this.holds.set(chatId, Math.max(this.holds.get(chatId) ?? 0, untilMs));
      this.mayWait.add(chatId);
    }
  }

  /** A group goes on under another id: what was sent to it and what holds it count there. */
  move(fromChatId: string, toChatId: string): void {
    if (fromChatId === toChatId) return;
    const heldUntilMs = this.holds.get(fromChatId);
    if (heldUntilMs !== undefined) this.hold(toChatId, heldUntilMs);
    this.holds.delete(fromChatId);
    const from = this.chats.get(fromChatId);
    if (from === undefined) return;
    const to = this.chats.get(toChatId);
    if (to === undefined) this.chats.set(toChatId, from);
    else to.add(from);
    this.chats.delete(fromChatId);
    this.mayWait.add(toChatId);
  }

  /** Chats that hold or window keeps waiting now, and when the first of them may go on. */
  heldChats(nowMs: number): { chatIds: string[]; untilMs: number | null } {
    const chatIds: string[] = [];
    let untilMs: number | null = null;
    for (const chatId of this.mayWait) {
      const nextMs = this.chatNextAtMs(chatId, nowMs);
      if (nextMs <= nowMs) {
        this.mayWait.delete(chatId);
        continue;
      }
      chatIds.push(chatId);
      untilMs = untilMs === null ? nextMs : Math.min(untilMs, nextMs);
    }
    return { chatIds, untilMs };
  }

  /**
   * What counts for a chat, of calls that do not count for the bot's own rate: for one change, at once.
   */
  chatWindows(chatId: string, nowMs: number): SlidingWindows {
    this.mayWait.add(chatId);
    let chat = this.chats.get(chatId);
    if (chat === undefined) {
      if (this.chats.size >= this.tidyAbove) this.forgetIdle(nowMs);
      chat = new SlidingWindows(isGroupChat(chatId) ? this.limits.group : this.limits.chat);
      this.chats.set(chatId, chat);
    }
    return chat;
  }

  private countersOf(chatId: string | null, nowMs: number): (BotBucket | SlidingWindows)[] {
    return chatId === null ? [this.bot] : [this.bot, this.chatWindows(chatId, nowMs)];
  }

  /** Chats in memory. */
  get size(): number {
    return this.chats.size;
  }

  /** Forgets the chats of which nothing matters any more. */
  forgetIdle(nowMs: number): void {
    for (const [chatId, chat] of this.chats) if (chat.isIdle(nowMs)) this.chats.delete(chatId);
    for (const [chatId, untilMs] of this.holds) if (untilMs <= nowMs) this.holds.delete(chatId);
    // Where most of them matter, looking at all again for each new one would cost more than it saves.
    this.tidyAbove = Math.max(MAX_CHATS, 2 * this.chats.size);
  }
}
