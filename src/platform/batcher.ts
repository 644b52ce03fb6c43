import { groupBy } from "./group-by.ts";

/**
 * Group commit: callers that meet in the same moment travel in one statement.
 *
 * While nothing is under way, the first item waits only until the end of the current turn of the
 * event loop; while a batch (or as many as may be) is under way, items gather and leave together when it returns. So the
 * batch grows with the load, and an idle system pays no delay.
 *
 * A batch that fails is tried again item by item, so that one bad item hurts only its caller. An
 * error that `isShared` recognises (the database is away) is everybody's and is not tried again.
 *
 * Items of one group (`groupOf`) keep their order. While more wait than a batch takes, the groups
 * take turns, so that one with a thousand items does not make the others wait for all of them. So do
 * urgent items (`isUrgent`) and the others of a group, and neither waits for all of the other: then
 * only items of one key (`keyOf`) keep their order, and all of them count as urgent when one is.
 */
export interface BatcherOptions<Item, Result> {
  /** Runs a batch; must answer one result an item, in the same order, or a promise of one. */
  run(items: Item[]): Promise<Array<Result | Promise<Result>>>;
  /** Most items in a batch. */
  maxItems: number;
  /** Batches under way at once; more than one where they need not keep the order of their items. Default 1. */
  maxUnderWay?: number;
  /** Most of what `weigh` counts in a batch (bytes); a single item may weigh more. */
  maxWeight?: number;
  weigh?(item: Item): number;
  /** Items that may wait; more are refused with `Overloaded`. */
  maxQueued?: number;
  /** Items of one group that may wait: below `maxQueued`, so that others still find room. */
  maxQueuedOfGroup?: number;
  /** Default: all items are of one group. */
  groupOf?(item: Item): string;
  /** Default: none is. */
  isUrgent?(item: Item): boolean;
  /** Items of one key keep their order, urgent or not; a key is of one group. Default: the group. */
  keyOf?(item: Item): string;
  /** True for errors that no item caused. */
  isShared?(error: unknown): boolean;
}

/** Too much is waiting already; the caller should shed load. */
export class Overloaded extends Error {
  override name = "Overloaded";
}

interface Waiting<Item, Result> {
  item: Item;
  resolve(result: Result | Promise<Result>): void;
  reject(error: unknown): void;
}

export class Batcher<Item, Result> {
  private queued: Waiting<Item, Result>[] = [];
  /** How many of `queued` each group has. */
  private readonly groups = new Map<string, number>();
  private scheduled = false;
  private underWay = 0;
  private readonly options: BatcherOptions<Item, Result>;

  constructor(options: BatcherOptions<Item, Result>) {
    this.options = options;
  }

  get waiting(): number {
    return this.queued.length;
  }

  /** Resolves with this item's result once its batch is done. Throws `Overloaded`, or what `run` threw. */
  add(item: Item): Promise<Result> {
    const { maxQueued, maxQueuedOfGroup } = this.options;
    const group = this.groupOf(item);
    const ofGroup = this.groups.get(group) ?? 0;
    if (
      this.queued.length >= (maxQueued ?? Number.POSITIVE_INFINITY) ||
      ofGroup >= (maxQueuedOfGroup ?? Number.POSITIVE_INFINITY)
    ) {
      return Promise.reject(new Overloaded(`${this.queued.length} items are waiting already`));
    }
    this.groups.set(group, ofGroup + 1);
    return new Promise((resolve, reject) => {
      this.queued.push({ item, resolve, reject });
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.scheduled || !this.mayRun) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      while (this.mayRun && this.queued.length > 0) void this.flush();
    });
  }

  private get mayRun(): boolean {
    return this.underWay < (this.options.maxUnderWay ?? 1);
  }

  private async flush(): Promise<void> {
    this.underWay++;
    while (this.queued.length > 0) {
      const batch = this.takeBatch();
      await this.runBatch(batch);
    }
    this.underWay--;
  }

  private groupOf(item: Item): string {
    return this.options.groupOf?.(item) ?? "";
  }

  /** Puts what waits into the order in which it leaves while it is more than a batch. */
  private takeTurns(): void {
    const group = ({ item }: Waiting<Item, Result>) => this.groupOf(item);
    const groups = [...groupBy(this.queued, group).values()].map((items) =>
      this.urgentInTurn(items),
    );
    this.queued = inTurn(groups.flat(), group);
  }

  private urgentInTurn(ofGroup: Waiting<Item, Result>[]): Waiting<Item, Result>[] {
    const { isUrgent, keyOf } = this.options;
    if (isUrgent === undefined) return ofGroup;
    const key = ({ item }: Waiting<Item, Result>) => (keyOf ?? this.groupOf.bind(this))(item);
    const urgent = new Set(ofGroup.filter(({ item }) => isUrgent(item)).map(key));
    return urgent.size === 0 ? ofGroup : inTurn(ofGroup, (waiting) => urgent.has(key(waiting)));
  }

  private takeBatch(): Waiting<Item, Result>[] {
    const { maxItems, maxWeight, weigh } = this.options;
    const haveTurns = this.groups.size > 1 || this.options.isUrgent !== undefined;
    if (this.queued.length > maxItems && haveTurns) this.takeTurns();
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
    const batch = this.queued.splice(0, count);
    for (const { item } of batch) {
      const group = this.groupOf(item);
      const left = (this.groups.get(group) ?? 1) - 1;
      if (left === 0) this.groups.delete(group);
      else this.groups.set(group, left);
    }
    return batch;
  }

  private async runBatch(batch: Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.options.run(batch.map((waiting) => waiting.item));
      for (const [index, waiting] of batch.entries())
        waiting.resolve(results[index] as Result | Promise<Result>);
    } catch (error) {
      if (batch.length === 1 || this.options.isShared?.(error)) {
        for (const waiting of batch) waiting.reject(error);
        return;
      }
      for (const waiting of batch) await this.runBatch([waiting]);
    }
  }
}

/** The first of each group, then the second of each, and so on; each group in its own order. */
function inTurn<Item>(items: Item[], groupOf: (item: Item) => unknown): Item[] {
  const turns: Item[][] = [];
  const taken = new Map<unknown, number>();
  for (const item of items) {
    const group = groupOf(item);
    const turn = taken.get(group) ?? 0;
    taken.set(group, turn + 1);
    const ofTurn = turns[turn];
    if (ofTurn === undefined) turns.push([item]);
    else ofTurn.push(item);
  }
  return turns.flat();
}
