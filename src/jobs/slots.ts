import type { WakePriority } from "./wake-priority.ts";

type Waiting = (granted: boolean) => void;

/**
 * A pool's slots: lowest priority number first, then first come, first served. A slot that is given
 * back goes to whoever has waited longest, so a lane that comes straight back for another turn
 * stands behind the others.
 */
export class Slots {
  private free: number;
  private readonly queues = new Map<WakePriority, Waiting[]>();
  private waitingCount = 0;
  private closed = false;

  constructor(count: number) {
    this.free = count;
  }

  get available(): number {
    return this.free;
  }

  get waiting(): number {
    return this.waitingCount;
  }

  /** Takes a slot if one is free and nobody waits. */
  tryTake(): boolean {
    if (this.closed || this.free === 0 || this.waitingCount > 0) return false;
    this.free--;
    return true;
  }

  /** Waits for a slot; false when the pool closed meanwhile. */
  async take(priority: WakePriority): Promise<boolean> {
    if (this.closed) return false;
    if (this.tryTake()) return true;
    return new Promise((resolve) => {
      const queue = this.queues.get(priority) ?? [];
      this.queues.set(priority, queue);
      queue.push(resolve);
      this.waitingCount++;
    });
  }

  /** Gives a slot back, to the one who goes first. */
  give(): void {
    const next = this.takeFirst();
    if (next === undefined) this.free++;
    else next(true);
  }

  /** No more slots: those who wait are told so. */
  close(): void {
    this.closed = true;
    for (let next = this.takeFirst(); next !== undefined; next = this.takeFirst()) next(false);
  }

  private takeFirst(): Waiting | undefined {
    if (this.waitingCount === 0) return undefined;
    const first = Math.min(...this.queues.keys());
    const queue = this.queues.get(first);
    const next = queue?.shift();
    if (queue?.length === 0) this.queues.delete(first);
    if (next !== undefined) this.waitingCount--;
    return next;
  }
}
