/**
 * One bot's pace, decided without I/O: sliding windows over what was sent, and holds that Telegram
 * set (429, `retry_after`). Documented limits (Bot API FAQ: 30/s a bot, 1/s a chat with short
 * bursts, 20/min a group) are the starting values. Times are ms since the epoch, passed in.
 */
export interface Window {
  count: number;
  perMs: number;
}

export interface PaceLimits {
  bot: Window[];
  chat: Window[];
  group: Window[];
}

/** A little longer than documented, because requests arrive less evenly than they leave. */
export const DOCUMENTED_LIMITS: PaceLimits = {
  bot: [{ count: 29, perMs: 1_050 }],
  chat: [{ count: 3, perMs: 3_300 }],
  group: [
    { count: 3, perMs: 3_300 },
    { count: 19, perMs: 60_500 },
  ],
};

/** Chats are dropped from memory once nothing of them can matter any more. */
const MAX_CHATS = 10_000;

class SlidingWindows {
  private sent: number[] = [];
  /**
   * How many were chosen that have yet to leave: an attempt is committed first, which takes a while
   * where the database is busy. They count as sent at whatever moment is asked about, since they may
   * leave right then.
   */
  private inHand = 0;
  private readonly windows: Window[];
  private readonly longestMs: number;

  constructor(windows: Window[]) {
    this.windows = windows;
    this.longestMs = Math.max(0, ...windows.map((window) => window.perMs));
  }

  /** The earliest time, not before `nowMs`, at which one more may leave. */
  nextAtMs(nowMs: number): number {
    let nextMs = nowMs;
    for (const { count, perMs } of this.windows) {
      const first =
        this.inHand >= count ? nowMs : this.sent[this.sent.length - (count - this.inHand)];
      if (first !== undefined) nextMs = Math.max(nextMs, first + perMs);
    }
    return nextMs;
  }

  choose(): void {
    this.inHand++;
  }

  release(): void {
    this.inHand = Math.max(0, this.inHand - 1);
  }

  leave(atMs: number): void {
    this.release();
    this.record(atMs);
  }

  record(atMs: number): void {
    this.sent.push(atMs);
    // Attempts that are read back may come out of order.
    if ((this.sent.at(-2) ?? atMs) > atMs) this.sent.sort((a, b) => a - b);
    const oldest = this.sent.findIndex((sentMs) => sentMs > atMs - this.longestMs);
    if (oldest > 0) this.sent.splice(0, oldest);
  }

  /** What another recorded counts here too. */
  add(other: SlidingWindows): void {
    this.sent = [...this.sent, ...other.sent].sort((a, b) => a - b);
    this.inHand += other.inHand;
  }

  isIdle(nowMs: number): boolean {
    const lastMs = this.sent.at(-1) ?? Number.NEGATIVE_INFINITY;
    return this.inHand === 0 && lastMs <= nowMs - this.longestMs;
  }
}

/** Groups and channels have negative ids or names; private chats positive ids. */
export const isGroupChat = (chatId: string): boolean => /^[-@]/.test(chatId);

export class Pace {
  private readonly limits: PaceLimits;
  private readonly bot: SlidingWindows;
  private readonly chats = new Map<string, SlidingWindows>();
  private readonly holds = new Map<string, number>();
  private botHeldUntilMs = 0;

  constructor(limits: PaceLimits = DOCUMENTED_LIMITS) {
    this.limits = limits;
    this.bot = new SlidingWindows(limits.bot);
  }

  /** When the bot as a whole may send again. */
  botNextAtMs(nowMs: number): number {
    return Math.max(this.botHeldUntilMs, this.bot.nextAtMs(nowMs));
  }

  /** Until when Telegram holds the bot as a whole, in ms since the epoch; 0: it never did. */
  botHeldUntil(): number {
    return this.botHeldUntilMs;
  }

  /** When this chat may be sent to; `null` for calls that count for the bot only. */
  nextAtMs(chatId: string | null, nowMs: number): number {
    const botMs = this.botNextAtMs(nowMs);
    if (chatId === null) return botMs;
    const windowMs = this.chats.get(chatId)?.nextAtMs(nowMs) ?? nowMs;
    return Math.max(botMs, windowMs, this.holds.get(chatId) ?? 0);
  }

  /** It is about to be sent: `leave` says when it was, `release` that it will not be. */
  choose(chatId: string | null, nowMs: number): void {
    for (const windows of this.windowsOf(chatId, nowMs)) windows.choose();
  }

  /** What was chosen will not leave. */
  release(chatId: string | null): void {
    this.bot.release();
    if (chatId !== null) this.chats.get(chatId)?.release();
  }

  /** What was chosen leaves now. */
  leave(chatId: string | null, atMs: number): void {
    for (const windows of this.windowsOf(chatId, atMs)) windows.leave(atMs);
  }

  /** Something was sent that nobody chose here: by another holder, or a second time. */
  record(chatId: string | null, atMs: number): void {
    for (const windows of this.windowsOf(chatId, atMs)) windows.record(atMs);
  }

  private windowsOf(chatId: string | null, nowMs: number): SlidingWindows[] {
    if (chatId === null) return [this.bot];
    let chat = this.chats.get(chatId);
    if (chat === undefined) {
      if (this.chats.size >= MAX_CHATS) this.forgetIdle(nowMs);
      chat = new SlidingWindows(isGroupChat(chatId) ? this.limits.group : this.limits.chat);
      this.chats.set(chatId, chat);
    }
    return [this.bot, chat];
  }

  /** Holds a chat, or the bot (`null`). A deadline only moves forward. */
  hold(chatId: string | null, untilMs: number): void {
    if (chatId === null) this.botHeldUntilMs = Math.max(this.botHeldUntilMs, untilMs);
    else this.holds.set(chatId, Math.max(this.holds.get(chatId) ?? 0, untilMs));
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
  }

  /** Chats that hold or window keeps waiting now, and when the first of them may go on. */
  heldChats(nowMs: number): { chatIds: string[]; untilMs: number | null } {
    const chatIds: string[] = [];
    let untilMs: number | null = null;
    for (const chatId of new Set([...this.chats.keys(), ...this.holds.keys()])) {
      const windowMs = this.chats.get(chatId)?.nextAtMs(nowMs) ?? nowMs;
      const nextMs = Math.max(windowMs, this.holds.get(chatId) ?? 0);
      if (nextMs <= nowMs) continue;
      chatIds.push(chatId);
      untilMs = untilMs === null ? nextMs : Math.min(untilMs, nextMs);
    }
    return { chatIds, untilMs };
  }

  /** Chats other than `chatId` that Telegram holds now. */
  holdsBeside(chatId: string, nowMs: number): number {
    let count = 0;
    for (const [held, untilMs] of this.holds) if (held !== chatId && untilMs > nowMs) count++;
    return count;
  }

  private forgetIdle(nowMs: number): void {
    for (const [chatId, chat] of this.chats) if (chat.isIdle(nowMs)) this.chats.delete(chatId);
    for (const [chatId, untilMs] of this.holds) if (untilMs <= nowMs) this.holds.delete(chatId);
  }
}
