/** So many in any span of `perMs`. */
export interface Window {
  count: number;
  perMs: number;
}

/** Sliding windows over what was sent to one chat, exact. Times are ms since the epoch. */
export class SlidingWindows {
  private sent: number[] = [];
  /**
   * How many were chosen that have yet to leave: an attempt is committed first, which takes a while
   * where the database is busy. They count as sent at whatever moment is asked about, since they may
   * leave right then.
   */
  private inHand = 0;
  private readonly windows: readonly Window[];
  private readonly longestMs: number;

  constructor(windows: readonly Window[]) {
    this.windows = windows;
    this.longestMs = Math.max(0, ...windows.map((window) => window.perMs));
  }

  /**
   * The earliest time, not before `nowMs`, at which one more may leave after `ahead` others. `cost`: as
   * how many it counts; what a window cannot hold at all leaves once that window is empty.
   */
  nextAtMs(nowMs: number, ahead = this.inHand, cost = 1): number {
    let nextMs = nowMs;
    for (const { count, perMs } of this.windows) {
      const before = ahead + Math.min(cost, count) - 1;
      const first = before >= count ? nowMs : this.sent[this.sent.length - (count - before)];
      if (first !== undefined) nextMs = Math.max(nextMs, first + perMs);
    }
    return nextMs;
  }

  /** How full the fullest window is, up to about 1. */
  use(nowMs: number): number {
    return Math.max(
      0,
      ...this.windows.map(
        ({ count, perMs }) => this.sent.filter((sentMs) => sentMs > nowMs - perMs).length / count,
      ),
    );
  }

  choose(cost = 1): void {
    this.inHand += cost;
  }

  release(cost = 1): void {
    this.inHand = Math.max(0, this.inHand - cost);
  }

  leave(atMs: number, cost = 1): void {
    this.record(atMs, cost);
  }

  record(atMs: number, cost = 1): void {
    // Attempts that are read back may come out of order.
    const isLate = (this.sent.at(-1) ?? atMs) > atMs;
    for (let n = 0; n < cost; n++) this.sent.push(atMs);
    if (isLate) this.sent.sort((a, b) => a - b);
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
