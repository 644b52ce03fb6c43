/**
 * How far a call may be early to its slot: what leaves late catches up, and a bot that was idle may
 * begin with a few in quick succession (at 30 a second with five). Not at once: of those that leave
 * together all are refused where one is, and each prolongs the hold.
 */
const TOLERANCE_MS = 150;
const QUICK_SHARE = 0.5;
/**
 * In any second no more arrive than the rate, whatever was early or late: so many in a row span the
 * time of their slots, but for this.
 */
const SLACK_MS = 14;
const KEPT_MS = 2_000;
/** Of a new measure in what is usual: an answer that is quicker tells more than one that is slower. */
const SHARE = { quicker: 0.2, slower: 0.05 };
const SPREAD_SHARE = 0.02;
/**
 * What is late by much more than they differ (a connection that is made, a process that stood still)
 * was late on its way there; where they differ much by themselves, only so much of it counts.
 */
const OUTLIER = 4;
const MOST_LATE_MS = { outlier: 300, other: 50 };

/** A call that left. `tookMs`: until its answer; null: there is none yet. */
interface Left {
  atMs: number;
  tookMs: number | null;
}

/**
 * A bot's calls, evenly spaced. A token bucket: each call has a slot, one after the other at the rate
 * in force; it leaves at its slot, or a little before it. Beside that a sliding window over what has
 * left, since a burst and what follows it must not meet in one second at the far end. Times are ms
 * since the epoch.
 */
export class BotBucket {
  private readonly perSecond: () => number;
  /** In the order in which they left. */
  private sent: Left[] = [];
  private usualMs: number | null = null;
  /** How much answers differ from what is usual. */
  private spreadMs = 0;
  /** Chosen, and yet to leave. */
  private inHand = 0;
  private slotMs = Number.NEGATIVE_INFINITY;

  /** `perSecond`: the rate, whenever it is asked for. Above 0. */
  constructor(perSecond: () => number) {
    this.perSecond = perSecond;
  }

  /**
   * The earliest time, not before `nowMs`, at which one more may leave after `ahead` others. `cost`: as
   * how many it counts (an album): it leaves at the slot of its last, once the second has room for all of
   * them, or is empty where it never has.
   */
  nextAtMs(nowMs: number, ahead = this.inHand, cost = 1): number {
    const perSecond = this.perSecond();
    const everyMs = 1_000 / perSecond;
    const count = Math.ceil(perSecond);
    const others = Math.min(cost, count) - 1;
    const before = ahead + others;
    const freeMs = Math.max(this.slotMs, nowMs - others * everyMs);
    const slotMs = freeMs + before * everyMs - TOLERANCE_MS;
    const firstMs =
      before >= count ? nowMs : this.arrivedMs(this.sent.length - count + before, nowMs);
    const gapMs = (this.sent.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY) + QUICK_SHARE * everyMs;
    return Math.max(nowMs, slotMs, gapMs, firstMs + count * everyMs - SLACK_MS);
  }

  /** How much of the last second's rate was used, up to about 1. */
  use(nowMs: number): number {
    return this.sent.filter(({ atMs }) => atMs > nowMs - 1_000).length / this.perSecond();
  }

  choose(cost = 1): void {
    this.inHand += cost;
  }

  release(cost = 1): void {
    this.inHand = Math.max(0, this.inHand - cost);
  }

  leave(atMs: number, cost = 1): void {
    this.add({ atMs, tookMs: null }, cost);
  }

  /** It was sent then; when it arrived is as good as known. */
  record(atMs: number, cost = 1): void {
    this.add({ atMs, tookMs: 0 }, cost);
  }

  /** What left then was answered so long after it; null: that says nothing of its way. */
  answered(leftMs: number, tookMs: number | null): void {
    // Of those that left in the same moment, whichever: they are answered one by one.
    const call = this.sent.findLast((one) => one.atMs === leftMs && one.tookMs === null);
    if (call !== undefined) call.tookMs = tookMs ?? 0;
    if (tookMs === null) return;
    const usualMs = this.usualMs ?? tookMs;
    const share = tookMs < usualMs ? SHARE.quicker : SHARE.slower;
    this.usualMs = usualMs + share * (tookMs - usualMs);
    this.spreadMs += SPREAD_SHARE * (Math.abs(tookMs - usualMs) - this.spreadMs);
  }

  /** As many times as it counts: all of these are one, with one answer. */
  private add(call: Left, cost: number): void {
    const perSecond = this.perSecond();
    const everyMs = 1_000 / perSecond;
    const others = Math.min(cost, Math.ceil(perSecond)) - 1;
    this.slotMs = Math.max(this.slotMs, call.atMs - others * everyMs) + cost * everyMs;
    let at = this.sent.length;
    while (at > 0 && (this.sent[at - 1]?.atMs ?? 0) > call.atMs) at--;
    this.sent.splice(at, 0, ...Array.from({ length: cost }, () => call));
    const keptMs = Math.max(KEPT_MS, 2 * everyMs);
    const oldest = this.sent.findIndex(({ atMs }) => atMs > call.atMs - keptMs);
    if (oldest > 0) this.sent.splice(0, oldest);
  }

  /**
   * When the call at that place arrived, counted from when others do: one whose answer came later than
   * usual came, as like as not, later itself.
   */
  private arrivedMs(at: number, nowMs: number): number {
    const call = this.sent[at];
    if (call === undefined) return Number.NEGATIVE_INFINITY;
    const lateMs = (call.tookMs ?? nowMs - call.atMs) - (this.usualMs ?? 0);
    const isOutlier = lateMs > OUTLIER * this.spreadMs;
    const mostMs = isOutlier ? MOST_LATE_MS.outlier : MOST_LATE_MS.other;
    return call.atMs + Math.min(Math.max(0, lateMs), mostMs);
  }
}
