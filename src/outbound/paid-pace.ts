import type { Pace } from "./pace.ts";
import { BotBucket } from "./pace-bucket.ts";
import type { Paced } from "./pace-turns.ts";
import type { PaidAllowance } from "./paid-allowance.ts";

/**
 * The pace of calls that the workspace pays for (Bot API: allow_paid_broadcast), beside that of the free
 * ones: evenly spaced at the rate it allows, in each chat's own limits, within what a day may cost. A
 * refusal of one says nothing of the free rate, and holds these alone, with its chat. Times are ms
 * since the epoch.
 */
export class PaidPace implements Paced {
  private readonly pace: Pace;
  private readonly allowance: PaidAllowance;
  private readonly bucket: BotBucket;
  private paidHeldUntilMs = 0;

  constructor(pace: Pace, allowance: PaidAllowance) {
    this.pace = pace;
    this.allowance = allowance;
    this.bucket = new BotBucket(() => Math.max(1, allowance.perSecond));
  }

  /** Calls a second beside the free ones; 0: none. */
  get perSecond(): number {
    return this.allowance.perSecond;
  }

  /** When a call of so many messages may be chosen; infinite: nothing may be paid for. */
  choiceAtMs(nowMs: number, leadMs: number, cost = 1): number {
    if (!this.allowance.has(cost, nowMs)) return Number.POSITIVE_INFINITY;
    const ownMs = this.bucket.nextAtMs(nowMs, undefined, cost);
    return Math.max(nowMs, this.heldUntilMs(null), ownMs - leadMs);
  }

  /** It is about to be sent, and paid for. */
  choose(chatId: string | null, nowMs: number, cost: number): void {
    this.allowance.spend(cost);
    this.bucket.choose(cost);
    if (chatId !== null) this.pace.chatWindows(chatId, nowMs).choose(cost);
  }

  /** What was chosen will not leave. */
  release(chatId: string | null, nowMs: number, cost: number): void {
    this.allowance.giveBack(cost);
    this.bucket.release(cost);
    if (chatId !== null) this.pace.chatWindows(chatId, nowMs).release(cost);
  }

  chatNextAtMs(chatId: string, nowMs: number, cost?: number): number {
    return this.pace.chatNextAtMs(chatId, nowMs, cost);
  }

  heldUntilMs(chatId: string | null): number {
    return Math.max(this.paidHeldUntilMs, this.pace.heldUntilMs(chatId));
  }

  turnAtMs(chatId: string | null, nowMs: number, cost?: number): number {
    const ownMs = this.bucket.nextAtMs(nowMs, 0, cost);
    if (chatId === null) return ownMs;
    return Math.max(ownMs, this.pace.chatWindows(chatId, nowMs).nextAtMs(nowMs, 0, cost));
  }

  leave(chatId: string | null, atMs: number, { wasChosen = true, cost = 1 } = {}): void {
    const chat = chatId === null ? [] : [this.pace.chatWindows(chatId, atMs)];
    for (const each of [this.bucket, ...chat]) {
      if (wasChosen) each.release(cost);
      each.leave(atMs, cost);
    }
  }

  /** Telegram took it, and answered after `tookMs`; null: that says nothing of its way there. */
  passed(leftMs: number, tookMs: number | null): void {
    this.bucket.answered(leftMs, tookMs);
  }

  /** Nothing was sent, and nothing is owed, for `cost` messages. */
  unpaid(cost: number): void {
    this.allowance.giveBack(cost);
  }

  /** Telegram refused one for so long: whose limit it was is not told. */
  refused(chatId: string | null, nowMs: number, retryAfterMs: number): void {
    const untilMs = nowMs + retryAfterMs;
    this.paidHeldUntilMs = Math.max(this.paidHeldUntilMs, untilMs);
    if (chatId !== null) this.pace.hold(chatId, untilMs);
  }
}
