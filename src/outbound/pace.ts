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
  bot: [{ count: 29, perMs: 1_000 }],
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
      const first = this.sent[this.sent.length - count];
      if (first !== undefined) nextMs = Math.max(nextMs, first + perMs);
    }
    return nextMs;
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
  }

  isIdle(nowMs: number): boolean {
    return (this.sent.at(-1) ?? Number.NEGATIVE_INFINITY) <= nowMs - this.longestMs;
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

  /** When this chat may be sent to; `null` for calls that count for the bot only. */
  nextAtMs(chatId: string | null, nowMs: number): number {
    const botMs = this.botNextAtMs(nowMs);
    if (chatId === null) return botMs;
    const windowMs = this.chats.get(chatId)?.nextAtMs(nowMs) ?? nowMs;
    return Math.max(botMs, windowMs, this.holds.get(chatId) ?? 0);
  }

  record(chatId: string | null, atMs: number): void {
    this.bot.record(atMs);
    if (chatId === null) return;
    let chat = this.chats.get(chatId);
    if (chat === undefined) {
      if (this.chats.size >= MAX_CHATS) this.forgetIdle(atMs);
      chat = new SlidingWindows(isGroupChat(chatId) ? this.limits.group : this.limits.chat);
      this.chats.set(chatId, chat);
    }
    chat.record(atMs);
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
