import { setTimeout as delay } from "node:timers/promises";
import { type Clock, systemClock } from "../platform/index.ts";
import type { LeftCall, Pace } from "./pace.ts";

/** Telegram holds it, or its time is too far away: it did not leave, and may be tried again then. */
export class HeldBack extends Error {
  override name = "HeldBack";
  readonly untilMs: number;
  constructor(untilMs: number) {
    super("held back until its time");
    this.untilMs = untilMs;
  }
}

/** When calls may leave, and that they did. */
export type Paced = Pick<Pace, "chatNextAtMs" | "heldUntilMs" | "turnAtMs" | "leave">;

/** A call that is to leave. */
export interface Leaving {
  /** Null: it counts for the bot only. */
  chatId: string | null;
  /**
   * The pace counts it as in hand, which one more call of the same message, and one that files were
   * taken for, is not.
   */
  wasChosen: boolean;
  /** As how many Telegram counts it. */
  cost: number;
}

/**
 * Timers know no shorter wait: what is due within it leaves now, and counts as if it left at its time. A
 * bot of a thousand a second would wait one and a half times as long as it is to.
 */
const TICK_MS = 1;
/** What would wait longer goes back to where it came from. */
const MOST_MS = 2_000;

/**
 * Where the calls of one drain leave, one after the other, each at its time: they come here with
 * their attempts on record, and a call's time is not that of a commit. This is also the last look at
 * what Telegram holds: a 429 may have arrived since the call was chosen.
 */
export class Turns {
  private readonly pace: Paced;
  private readonly clock: Clock;
  private last: Promise<unknown> = Promise.resolve();

  constructor(pace: Paced, clock: Clock = systemClock) {
    this.pace = pace;
    this.clock = clock;
  }

  /**
   * Waits for the call's turn, at most about two seconds. When this resolves the call is counted, and
   * is to leave at once. Throws `HeldBack`.
   */
  async take(call: Leaving, signal: AbortSignal): Promise<LeftCall> {
    const { chatId, wasChosen, cost } = call;
    // What its own chat keeps waiting is not to keep the others waiting.
    if (chatId !== null && !wasChosen) {
      const nowMs = this.clock();
      const chatMs = this.pace.chatNextAtMs(chatId, nowMs, cost);
      if (chatMs > nowMs + MOST_MS) throw new HeldBack(chatMs);
      if (chatMs > nowMs) await this.wait(chatMs - nowMs, signal);
    }
    const turn = this.last.then(() => this.leave(call, signal));
    this.last = turn.catch(() => {});
    return turn;
  }

  private async leave(
    { chatId, wasChosen, cost }: Leaving,
    signal: AbortSignal,
  ): Promise<LeftCall> {
    for (let waited = false; ; waited = true) {
      const nowMs = this.clock();
      const heldUntilMs = this.pace.heldUntilMs(chatId);
      if (heldUntilMs > nowMs) throw new HeldBack(heldUntilMs);
      const atMs = this.pace.turnAtMs(chatId, nowMs, cost);
      // However far away it is: a clock that was set back must not keep a message for hours.
      const soonMs = nowMs + MOST_MS;
      if (signal.aborted || atMs > soonMs) throw new HeldBack(Math.min(atMs, soonMs));
      if (atMs < nowMs + TICK_MS) {
        const leftMs = Math.max(nowMs, atMs);
        this.pace.leave(chatId, leftMs, { wasChosen, cost });
        return { chatId, leftMs, waited, cost };
      }
      await this.wait(atMs - nowMs, signal);
    }
  }

  /** Never rejects: an abort ends it early. */
  private async wait(ms: number, signal: AbortSignal): Promise<void> {
    await delay(Math.ceil(ms), undefined, { signal }).catch(() => {});
  }
}
