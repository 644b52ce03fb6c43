/**
 * jobs: the ledger, lanes, wakes, drains and sweeps. Postgres holds every job and decides what may
 * run; BullMQ carries the news to the worker pools. The only room that knows BullMQ.
 *
 * Enqueue through `Jobs.enqueue` (group commit) or `Jobs.enqueueIn` (the caller's transaction);
 * work through `Jobs.startPool` with a `TransactionalHandler` or an `ExternalHandler`; change what
 * waits of a room's own jobs through `Jobs.holdIn`, in the transaction that changes what they are about.
 */
import { hostname } from "node:os";
import type { Database, Logger, RedisConfig } from "../platform/index.ts";
import { createEnqueuer, type Enqueuer } from "./enqueue.ts";
import { InHand } from "./in-hand.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { Ledger, type LedgerRecorder } from "./ledger.ts";
import { PauseWatch } from "./paused-queues.ts";
import { WorkerPool } from "./pool.ts";
import { ProcessRegistry } from "./process-registry.ts";
import { createTransport } from "./transport.ts";
import type { Handler, JobHooks, QueueName } from "./types.ts";
import { createWaitingJobs, type WaitingJobs } from "./waiting-jobs.ts";
import { createWake } from "./wakes.ts";

export { type BackoffPolicy, backoffCeilingMs } from "./backoff.ts";
export { cancelLane, type LaneCancellation } from "./cancel-lane.ts";
export { insertJobs } from "./enqueue.ts";
export { Discard, Pause, Retry } from "./errors.ts";
export { isJobId, type JobFilter, type WhichJobs } from "./filter.ts";
export { forgetBodies } from "./forget-bodies.ts";
export { type JobTrace, readJobBody, type TracedJob, traceJob } from "./job-trace.ts";
export { isLatestHolder } from "./lease.ts";
export {
  type Changed,
  LEDGER_ACTIONS,
  Ledger,
  type LedgerAction,
  type LedgerRecorder,
} from "./ledger.ts";
export { createLedgerKeeper, type LedgerKeeper } from "./ledger-keeper.ts";
export { type PlaceInLane, placeInLane } from "./place-in-lane.ts";
export { listProcesses, type ProcessView } from "./process-registry.ts";
export { type Percentiles, type QueueStats, queueStats } from "./queue-stats.ts";
export { connectRedis, type RedisClient, UnsafeRedis } from "./redis-connection.ts";
export { DEFAULT_JOB_RETENTION, type JobRetention, jobRetentionRules } from "./retention.ts";
export { type AttemptView, type Count, getJob, type JobView, listJobs } from "./search.ts";
export { SHOWN_STATES, type Standing } from "./shelf.ts";
export { migrateTransport } from "./transport.ts";
export * from "./types.ts";
export type { HeldLanes, JobWords, KnownJob, LaneOfJobs, WaitingJobs } from "./waiting-jobs.ts";

export interface JobsOptions {
  db: Database;
  log: Logger;
  /** Undefined: BullMQ on Postgres. */
  redis?: RedisConfig;
  /** Told when people change jobs of a queue by hand. */
  hooks?: Partial<Record<QueueName, JobHooks>>;
  /** Told of every change by hand, in its transaction. */
  recorder?: LedgerRecorder;
  /** How long a lease lasts without a heartbeat. Default 5 000. */
  leaseMs?: number;
  /** Default 1 000. */
  sweepMs?: number;
  /** How long a drain keeps its slot while others wait. Default: by the mode of the handler. */
  turnMs?: number;
}

export interface PoolSize {
  /** Lanes drained at once. */
  slots: number;
  /** Jobs of one lane in flight at once, for external handlers. Default 8. */
  laneConcurrency?: number;
}

export interface Jobs extends Enqueuer, WaitingJobs {
  /** Starts taking work of a queue; resolves when it listens. */
  startPool(queue: QueueName, handler: Handler, size: PoolSize): Promise<WorkerPool>;
  /** Changes of jobs and queues by hand. */
  readonly ledger: Ledger;
  /** Name under which this process stands in the ledger: host, pid, and an id of this run. */
  readonly worker: string;
  /** Tells which jobs are running, by their ids: what a watchdog can say of a process that hangs. */
  onWork(listener: (jobs: string) => void): void;
  /** Announces this process to operators until it stops (process-registry.ts). Never fails. */
  announce(role: string): Promise<void>;
  /** BullMQ's queues of wakes, for a board to read; opaque to everybody else. */
  boardQueues(): object[];
  /** Resolves when wakes can travel; throws with the reason otherwise. */
  check(): Promise<void>;
  /** Lanes this process holds now. */
  readonly lanesHeld: number;
  /** Wakes given up since the start: the sweep carried those lanes. */
  readonly wakesDropped: number;
  /** Stops the pools (see WorkerPool.stop), then the connections of the transport. */
  stop(graceMs?: number): Promise<void>;
}

/**
 * A lane that comes back costs a release, a wake, a lease and a claim: little beside a tenth of a
 * second of commits, and two hundred hot lanes then give way to another's in milliseconds. A drain
 * with calls under way must see them end first, and its successor learns its pace again.
 */
const TURN_MS: Record<Handler["mode"], number> = { transactional: 100, external: 2_000 };

/** Leaves room for the rest of a shutdown within the ten seconds a process has. */
const DEFAULT_GRACE_MS = 6_000;

export function createJobs(options: JobsOptions): Jobs {
  const { db, log } = options;
  const transport = createTransport(options);
  const wake = createWake(transport);
  const keeper = new LeaseKeeper(db, options.leaseMs ?? 5_000, log);
  const pauses = new PauseWatch(db, log);
  const worker = `${hostname()}/${process.pid}/${keeper.owner.slice(0, 8)}`;
  const pools: WorkerPool[] = [];
  const inHand = new InHand();
  const queues = new Set<QueueName>();
  const registry = new ProcessRegistry({ db, held: keeper, queues: () => [...queues], log });
  return {
    ...createEnqueuer(db, wake),
    ...createWaitingJobs(wake),
    ledger: new Ledger({ db, wake, hooks: options.hooks ?? {}, recorder: options.recorder }),
    startPool: async (queue, handler, size) => {
      const pool = new WorkerPool({
        db,
        keeper,
        transport,
        wake,
        queue,
        handler,
        worker,
        inHand,
        log,
        pauses,
        slots: size.slots,
        laneConcurrency: size.laneConcurrency ?? 8,
        sweepMs: options.sweepMs ?? 1_000,
        turnMs: options.turnMs ?? TURN_MS[handler.mode],
      });
      pauses.start();
      await pool.start();
      pools.push(pool);
      queues.add(queue);
      return pool;
    },
    worker,
    onWork: (listener) => inHand.listen(listener),
    announce: (role) => registry.start(role),
    boardQueues: () => transport.boardQueues(),
    check: () => transport.check(),
    get lanesHeld() {
      return keeper.count;
    },
    get wakesDropped() {
      return transport.dropped;
    },
    stop: async (graceMs = DEFAULT_GRACE_MS) => {
      await Promise.all(pools.map((pool) => pool.stop(graceMs)));
      await pauses.close();
      await keeper.close();
      await registry.stop();
      await transport.close();
    },
  };
}
