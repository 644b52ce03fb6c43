/**
 * Group commit: callers that meet in the same moment travel in one statement.
 *
 * While nothing is under way, the first item waits only until the end of the current turn of the
 * event loop; while a batch is under way, items gather and leave together when it returns. So the
 * batch grows with the load, and an idle system pays no delay.
 *
 * A batch that fails is tried again item by item, so that one bad item hurts only its caller. An
 * error that `isShared` recognises (the database is away) is everybody's and is not tried again.
 */
export interface BatcherOptions<Item, Result> {
  /** Runs a batch; must answer one result an item, in the same order. */
  run(items: Item[]): Promise<Result[]>;
  /** Most items in a batch. */
  maxItems: number;
  /** Most of what `weigh` counts in a batch (bytes); a single item may weigh more. */
  maxWeight?: number;
  weigh?(item: Item): number;
  /** Items that may wait; more are refused with `Overloaded`. */
  maxQueued?: number;
  /** True for errors that no item caused. */
  isShared?(error: unknown): boolean;
}

/** Too much is waiting already; the caller should shed load. */
export class Overloaded extends Error {
  override name = "Overloaded";
}

interface Waiting<Item, Result> {
  item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

export class Batcher<Item, Result> {
  private queued: Waiting<Item, Result>[] = [];
  private scheduled = false;
  private running = false;
  private readonly options: BatcherOptions<Item, Result>;

  constructor(options: BatcherOptions<Item, Result>) {
    this.options = options;
  }

  get waiting(): number {
    return this.queued.length;
  }

  /** Resolves with this item's result once its batch is done. Throws `Overloaded`, or what `run` threw. */
  add(item: Item): Promise<Result> {
    if (this.queued.length >= (this.options.maxQueued ?? Number.POSITIVE_INFINITY)) {
      return Promise.reject(new Overloaded(`${this.queued.length} items are waiting already`));
    }
    return new Promise((resolve, reject) => {
      this.queued.push({ item, resolve, reject });
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.scheduled || this.running) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      void this.flush();
    });
  }

  private async flush(): Promise<void> {
    if (this.running) return;
    this.running = true;
    while (this.queued.length > 0) {
      const batch = this.takeBatch();
      await this.runBatch(batch);
    }
    this.running = false;
  }

  private takeBatch(): Waiting<Item, Result>[] {
    const { maxItems, maxWeight, weigh } = this.options;
    let count = Math.min(maxItems, this.queued.length);
    if (maxWeight !== undefined && weigh !== undefined) {
      let weight = 0;
      for (let index = 0; index < count; index++) {
        weight += weigh((this.queued[index] as Waiting<Item, Result>).item);
        if (weight > maxWeight && index > 0) {
          count = index;
          break;
        }
      }
    }
    return this.queued.splice(0, count);
  }

  private async runBatch(batch: Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.options.run(batch.map((waiting) => waiting.item));
      for (const [index, waiting] of batch.entries()) waiting.resolve(results[index] as Result);
    } catch (error) {
      if (batch.length === 1 || this.options.isShared?.(error)) {
        for (const waiting of batch) waiting.reject(error);
        return;
      }
      for (const waiting of batch) await this.runBatch([waiting]);
    }
  }
}
