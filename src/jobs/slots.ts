/**
 * A pool's slots: first come, first served. A slot that is given back goes to whoever has waited
 * longest, so a lane that comes straight back for another turn stands behind the others.
 */
export class Slots {
  private free: number;
  private readonly queue: Array<(granted: boolean) => void> = [];
  private closed = false;

  constructor(count: number) {
    this.free = count;
  }

  get available(): number {
    return this.free;
  }

  get waiting(): number {
    return this.queue.length;
  }

  /** Takes a slot if one is free and nobody waits. */
  tryTake(): boolean {
    if (this.closed || this.free === 0 || this.queue.length > 0) return false;
    this.free--;
    return true;
  }

  /** Waits for a slot; false when the pool closed meanwhile. */
  async take(): Promise<boolean> {
    if (this.closed) return false;
    if (this.tryTake()) return true;
    return new Promise((resolve) => this.queue.push(resolve));
  }

  /** Gives a slot back, to the one who has waited longest. */
  give(): void {
    const next = this.queue.shift();
    if (next === undefined) this.free++;
    else next(true);
  }

  /** No more slots: those who wait are told so. */
  close(): void {
    this.closed = true;
    for (const waiting of this.queue.splice(0)) waiting(false);
  }
}
