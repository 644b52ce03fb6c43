import { Batcher, groupBy, isLockTimeout, isUnavailable, Overloaded } from "../platform/index.ts";
import type { Enqueued, NewJob } from "./types.ts";

const MAX_BATCH_JOBS = 300;
const MAX_BATCH_BYTES = 4_000_000;
/** Bodies are at most 1 MB, and mostly 1 kB: this bounds what waits in memory. */
const MAX_QUEUED_JOBS = 2_000;
/** One workspace's share of it, so that a flood is refused before it crowds out the others. */
const MAX_QUEUED_OF_WORKSPACE = 1_000;

/**
 * Lane rows are locked for one statement as a rule, and for up to five seconds when a worker stops
 * with one locked. So long an insert of three hundred jobs would wait for that one lane.
 */
const COMBINED_LOCK_TIMEOUT_MS = 250;
const BLOCKED_LOCK_TIMEOUT_MS = 5_000;
const ALONE_AT_ONCE = 3;
/** Blocked lanes that wait at once: each has a connection. More are refused meanwhile. */
const MAX_BLOCKED = 3;

/** Inserts jobs in one statement; a lock that takes longer fails with 55P03. */
type Insert = (jobs: NewJob[], lockTimeoutMs: number) => Promise<Enqueued[]>;
type Result = Enqueued | Promise<Enqueued>;

const laneOf = (job: NewJob) => `${job.queue} ${job.lane}`;

/**
 * Inserts of one process: one under way, so a lane's jobs arrive in order (two would halve the
 * batches, and were slower: docs/figures.md). Workspaces take turns while more wait than a batch takes,
 * and inside a workspace lanes with an urgent job and the others do.
 *
 * A lane whose row stays locked leaves the common batches: it gets inserts of its own, one under
 * way, until nothing of it waits any more. All jobs come through the common queue, and those of such
 * a lane are handed on from there, so they keep their order.
 */
export class InsertQueue {
  private readonly combined: Batcher<NewJob, Enqueued>;
  private readonly blocked = new Map<string, Batcher<NewJob, Enqueued>>();
  private readonly insert: Insert;

  constructor(insert: Insert) {
    this.insert = insert;
    this.combined = new Batcher({
      maxItems: MAX_BATCH_JOBS,
      maxWeight: MAX_BATCH_BYTES,
      weigh: (job) => job.body?.length ?? 0,
      maxQueued: MAX_QUEUED_JOBS,
      maxQueuedOfGroup: MAX_QUEUED_OF_WORKSPACE,
      groupOf: (job) => job.workspaceId,
      isUrgent: (job) => job.urgent === true,
      keyOf: laneOf,
      isShared: isUnavailable,
      run: (jobs) => this.insertBatch(jobs),
    });
  }

  /** Throws `Overloaded` when too much waits already, or the database's error. */
  add(job: NewJob): Promise<Enqueued> {
    return this.combined.add(job);
  }

  private async insertBatch(jobs: NewJob[]): Promise<Result[]> {
    const results = new Map<NewJob, Result>();
    const open = jobs.filter((job) => !this.blocked.has(laneOf(job)));
    for (const [job, result] of await this.insertOpen(open)) results.set(job, result);
    for (const job of jobs) if (!results.has(job)) results.set(job, this.addBlocked(job));
    return jobs.map((job) => results.get(job) as Result);
  }

  /** Together, or lane by lane when somebody has one of the lanes locked; without those then. */
  private async insertOpen(jobs: NewJob[]): Promise<Map<NewJob, Result>> {
    const results = new Map<NewJob, Result>();
    if (jobs.length === 0) return results;
    const insert = async (some: NewJob[]) => {
      const inserted = await this.insert(some, COMBINED_LOCK_TIMEOUT_MS);
      for (const [n, job] of some.entries()) results.set(job, inserted[n] as Enqueued);
    };
    try {
      await insert(jobs);
      return results;
    } catch (error) {
      if (!isLockTimeout(error)) throw error;
    }
    const lanes = groupBy(jobs, laneOf).values();
    const insertLanes = async () => {
      for (const lane of lanes) {
        try {
          await insert(lane);
        } catch (error) {
          // What is wrong with the lane is said to its own callers, and a lock is waited for apart.
          if (isLockTimeout(error)) continue;
          for (const job of lane) results.set(job, failed(error));
        }
      }
    };
    await Promise.all(Array.from({ length: ALONE_AT_ONCE }, insertLanes));
    return results;
  }

  private addBlocked(job: NewJob): Promise<Enqueued> {
    const lane = laneOf(job);
    let blocked = this.blocked.get(lane);
    if (blocked === undefined) {
      if (this.blocked.size >= MAX_BLOCKED) return failed(new Overloaded("its lane is locked"));
      blocked = this.createBlocked(lane);
      this.blocked.set(lane, blocked);
    }
    return blocked.add(job);
  }

  private createBlocked(lane: string): Batcher<NewJob, Enqueued> {
    const batcher: Batcher<NewJob, Enqueued> = new Batcher({
      maxItems: MAX_BATCH_JOBS,
      maxQueued: MAX_QUEUED_OF_WORKSPACE,
      isShared: (error) => isUnavailable(error) || error instanceof Overloaded,
      run: async (jobs) => {
        try {
          return await this.insert(jobs, BLOCKED_LOCK_TIMEOUT_MS);
        } catch (error) {
          throw isLockTimeout(error) ? new Overloaded("its lane is locked") : error;
        } finally {
          if (batcher.waiting === 0) this.blocked.delete(lane);
        }
      },
    });
    return batcher;
  }
}

/** Somebody waits for it later: until then it must not count as unhandled. */
function failed(error: unknown): Promise<never> {
  const promise = Promise.reject(error);
  promise.catch(() => {});
  return promise;
}
