/**
 * The pace of one bot: when may it send to which chat? Plain state with the time passed in, all
 * times in ms since the epoch.
 *
 * Sliding windows hold the documented limits (Bot API FAQ: about one message a second to a chat
 * with short bursts, 20 a minute to a group, about 30 a second in all). Holds are what Telegram
 * really said (429, `retry_after`): deadlines that only move forward.
 */

/** In no span of `windowMs` more than `limit`. */
export interface PaceWindow {
  limit: number;
  windowMs: number;
}

export interface PaceLimits {
  /** All messages of the bot. */
  bot: PaceWindow[];
  /** To one private chat. */
  chat: PaceWindow[];
  /** To one group, supergroup or channel. */
  group: PaceWindow[];
}

/**
 * Telegram counts when a message arrives, we when it leaves: what left in time may arrive a little
 * closer together. Without this the pace meets a 429 now and then at full speed.
 */
const JITTER_MS = 50;

export const DOCUMENTED_LIMITS: PaceLimits = {
  bot: [{ limit: 30, windowMs: 1_000 + JITTER_MS }],
  chat: [{ limit: 3, windowMs: 3_000 + JITTER_MS }],
  group: [
    { limit: 3, windowMs: 3_000 + JITTER_MS },
    { limit: 20, windowMs: 60_000 + JITTER_MS },
  ],
};

/** Groups, supergroups and channels have negative ids; `@name` is never a private chat. */
export function isGroupChat(chat: string): boolean {
  return chat.startsWith("-") || chat.startsWith("@");
}

/** Times of what left through some windows. */
class Meter {
  private readonly times: number[] = [];

  /** When the next may leave. */
  nextAt(windows: readonly PaceWindow[], nowMs: number): number {
    let next = nowMs;
    for (const { limit, windowMs } of windows) {
      const oldest = this.times[this.times.length - limit];
      if (oldest !== undefined) next = Math.max(next, oldest + windowMs);
    }
    return next;
  }

  record(windows: readonly PaceWindow[], atMs: number): void {
    // Never before the last: a clock that went back must not make room.
    this.times.push(Math.max(atMs, this.times.at(-1) ?? atMs));
    const kept = Math.max(...windows.map((window) => window.limit));
    if (this.times.length > kept) this.times.splice(0, this.times.length - kept);
  }

  isIdle(windows: readonly PaceWindow[], nowMs: number): boolean {
    const last = this.times.at(-1);
    return last === undefined || windows.every(({ windowMs }) => last + windowMs <= nowMs);
  }
}

export class Pace {
  private readonly limits: PaceLimits;
  private readonly bot = new Meter();
  private readonly chats = new Map<string, Meter>();
  private readonly chatHolds = new Map<string, number>();
  private botHeldUntilMs = 0;

  constructor(limits: PaceLimits = DOCUMENTED_LIMITS) {
    this.limits = limits;
  }

  /** When a message to `chat` may leave: `nowMs` when at once, otherwise later; always finite. */
  nextAllowedAt(chat: string, nowMs: number): number {
    return Math.max(this.botAllowedAt(nowMs), this.chatAllowedAt(chat, nowMs));
  }

  /** When anything may leave that no window counts (an answer to a button): holds of the bot only. */
  botFreeAt(nowMs: number): number {
    return Math.max(nowMs, this.botHeldUntilMs);
  }

  /** Counts a message that leaves, or left (in order of time, when rebuilding). */
  record(chat: string, atMs: number): void {
    this.bot.record(this.limits.bot, atMs);
    const meter = this.chats.get(chat) ?? new Meter();
    this.chats.set(chat, meter);
    meter.record(this.windowsOf(chat), atMs);
  }

  /** Holds a chat, or the bot (null). A hold that ends earlier than the one in force changes nothing. */
  hold(chat: string | null, untilMs: number): void {
    if (chat === null) this.botHeldUntilMs = Math.max(this.botHeldUntilMs, untilMs);
    else this.chatHolds.set(chat, Math.max(this.chatHolds.get(chat) ?? 0, untilMs));
  }

  /**
   * Chats that may not be sent to now though the bot may, and when the first of them may again
   * (null: none waits). Chats that are idle are forgotten on the way, so memory follows the last
   * minute's traffic.
   */
  heldChats(nowMs: number): { chats: string[]; untilMs: number | null } {
    for (const [chat, untilMs] of this.chatHolds) {
      if (untilMs <= nowMs) this.chatHolds.delete(chat);
    }
    const chats: string[] = [];
    let untilMs: number | null = null;
    const note = (chat: string) => {
      const at = this.chatAllowedAt(chat, nowMs);
      if (at <= nowMs) return;
      chats.push(chat);
      untilMs = untilMs === null ? at : Math.min(untilMs, at);
    };
    for (const [chat, meter] of this.chats) {
      if (meter.isIdle(this.windowsOf(chat), nowMs)) this.chats.delete(chat);
      else note(chat);
    }
    for (const chat of this.chatHolds.keys()) if (!this.chats.has(chat)) note(chat);
    return { chats, untilMs };
  }

  /** Chats the pace remembers: for tests of its memory. */
  get size(): number {
    return new Set([...this.chats.keys(), ...this.chatHolds.keys()]).size;
  }

  private botAllowedAt(nowMs: number): number {
    return Math.max(this.botHeldUntilMs, this.bot.nextAt(this.limits.bot, nowMs));
  }

  private chatAllowedAt(chat: string, nowMs: number): number {
    const next = this.chats.get(chat)?.nextAt(this.windowsOf(chat), nowMs) ?? nowMs;
    return Math.max(next, this.chatHolds.get(chat) ?? 0);
  }

  private windowsOf(chat: string): PaceWindow[] {
    return isGroupChat(chat) ? this.limits.group : this.limits.chat;
  }
}
