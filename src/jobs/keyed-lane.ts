import { ClockWatch } from "../platform/index.ts";
import type { Claim, ClaimedJob } from "./claim.ts";
import { type IsBlocked, KeyHeads } from "./key-heads.ts";
import type { LaneReader } from "./lane-reader.ts";
import type { Job, JobId } from "./types.ts";

/** So many heads are enough, however many may start: those are begun, and the drain looks again. */
const MAX_HEADS = 64;
/** Beside those that there is room for: a runner may refuse some. */
const SPARE_HEADS = 8;
/** Reads of one claim, before the drain looks at the clock again. */
const MAX_READS = 20;

export interface KeyedClaim extends Claim {
  /** Heads of keys that may run, one a key; the priority is that of the most urgent behind it. */
  jobs: ClaimedJob[];
  /** Marked running, and by none of the drain's own attempts. */
  running: { id: JobId; key: string }[];
  /** Everything there is was looked at: where nothing is due, nothing is. */
  isWhole: boolean;
  /** When a head that waits may run, in ms since the epoch; null: none does. */
  nextMs: number | null;
}

export interface KeyedWish {
  /** Keys that may not start anything now. */
  blockedKeys: Iterable<string>;
  /** Running jobs of the drain itself. */
  ownIds: JobId[];
  /** How many may start. */
  room: number;
}

/**
 * A drain's view of its lane where that is ordered per key. What may start is read from Postgres at
 * each claim; memory (`KeyHeads`) only says from where on, and of which keys. So what a claim costs
 * depends on what it finds, not on what waits.
 */
export class KeyedLane {
  /** Its times are this process's. */
  readonly clock = new ClockWatch();
  private readonly reader: LaneReader;
  private readonly heads: KeyHeads;
  /** The lane's `seq` when memory began: while it is the same, nobody brought anything back. */
  private seq: string | null = null;
  private changedSeq: string | null = null;

  /** `enough`: see `KeyHeads`. */
  constructor(reader: LaneReader, { enough }: { enough?: number } = {}) {
    this.reader = reader;
    this.heads = new KeyHeads(Date.now(), { enough });
  }

  /** Keys in memory. */
  get size(): number {
    return this.heads.size;
  }

  /** Two keys became one: what was read of them may stand in another order. */
  restart(): void {
    this.heads.restart(Date.now());
    this.seq = null;
  }

  /** Another drain goes on with this memory. */
  resume(): void {
    this.heads.resume(Date.now());
  }

  /** Something of this job's key has ended, or may have changed. */
  touch({ orderingKey: key, id, priority }: Pick<Job, "orderingKey" | "id" | "priority">): void {
    if (key !== null) this.heads.touch({ key, id, priority });
  }

  /** Those of some running jobs that still are, whole. */
  running(ids: readonly JobId[]): Promise<ClaimedJob[]> {
    return this.reader.readRunning(ids);
  }

  /** What may start now, as far as it is needed. */
  async claim({ blockedKeys, ownIds, room }: KeyedWish): Promise<KeyedClaim> {
    const { reader, heads } = this;
    const blocked = new Set(blockedKeys);
    const isBlocked: IsBlocked = (key) => blocked.has(key);
    const limit = Math.min(MAX_HEADS, room + SPARE_HEADS);
    heads.begin(Date.now());
    let claim: KeyedClaim | null = null;
    // One that was cut short goes on for as long as it takes, and by itself.
    let unbounded = false;
    for (let reads = 1; ; reads++) {
      const nowMs = Date.now();
      const streams = heads.toRead(isBlocked, nowMs);
      if (claim === null || streams.length > 0) {
        const passed = heads.passed(isBlocked);
        const seen = await reader.look(streams, { ownIds, passed, unbounded });
        if (seen === null) return NO_LANE;
        const { seq, claimedAt, isEmpty, running, candidates, walked } = seen;
        // What is said of the lane is of the first look: nothing older was looked at.
        claim ??= { seq, claimedAt, isEmpty, running, jobs: [], isWhole: false, nextMs: null };
        this.seq ??= seq;
        if (seen.changedSeq !== this.changedSeq) {
          if (this.changedSeq !== null) heads.changed(nowMs);
          heads.begin(nowMs);
          this.changedSeq = seen.changedSeq;
        }
        if (isEmpty && reads === 1) return { ...claim, isWhole: true };
        for (const { key } of running) blocked.add(key);
        heads.read({ streams, candidates, walked, limit: reader.page }, isBlocked, nowMs);
        unbounded = walked.some(({ hasMore }) => hasMore);
      }
      const keys = heads.toLookUp(isBlocked, nowMs, limit);
      if (reads === 1) keys.push(...heads.toLookAgain(isBlocked, nowMs));
      const found = await reader.readHeads(keys);
      heads.found(keys, found.map(headOf), nowMs);
      const jobs = found.filter(isDue);
      const isLast = reads >= MAX_READS;
      if (jobs.length > 0 && (isLast || this.isBest(jobs, isBlocked, nowMs))) {
        return { ...claim, jobs };
      }
      if (isLast) return claim;
      if (keys.length === 0 && heads.isAllRead) {
        if (ownIds.length > 0 || this.seq === claim.seq) {
          return { ...claim, isWhole: true, nextMs: heads.nextMs(isBlocked, nowMs) };
        }
        // There was news since memory began, perhaps of what had been read: before the lane is handed
        // back, everything is looked at once more.
        heads.restart(nowMs);
        this.seq = claim.seq;
      }
    }
  }

  /** Nothing more urgent is left to be read: keys that are held may fill the first pages of a class. */
  private isBest(jobs: readonly ClaimedJob[], isBlocked: IsBlocked, nowMs: number): boolean {
    const best = Math.min(...jobs.map(({ priority }) => priority));
    return this.heads.toRead(isBlocked, nowMs).every(({ priority }) => priority >= best);
  }
}

const NO_LANE: KeyedClaim = {
  seq: "-1",
  claimedAt: "-infinity",
  isEmpty: true,
  jobs: [],
  running: [],
  isWhole: true,
  nextMs: null,
};

const isDue = ({ state, dueInMs }: ClaimedJob): boolean => state !== "running" && dueInMs <= 0;

const headOf = ({ orderingKey, id, priority, dueInMs }: ClaimedJob) => ({
  key: orderingKey ?? "",
  id,
  priority,
  dueInMs,
});
