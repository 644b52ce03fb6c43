import type { Transaction } from "../platform/index.ts";

/**
 * Words of this room
 *
 * job    a row in `jobs`: one unit of work with its state, attempts, errors and payload
 * queue  a kind of work with its own worker pool
 * lane   what one worker at a time may hold inside a queue; lanes run side by side
 * wake   a BullMQ job that carries the names of lanes that became due, and nothing else
 * lease  a worker's hold on a lane: owner, epoch, expiry, on the lane's row
 * drain  what a worker does with a wake: lease, claim, run, commit, until nothing is due
 * sweep  each worker's periodic look for overdue lanes without a live lease
 */

export const QUEUES = [
  "ingest",
  "outbound",
  "evidence",
  "backfill",
  "schedule",
  "delivery",
] as const;
export type QueueName = (typeof QUEUES)[number];

export const JOB_STATES = [
  "available",
  "running",
  "retryable",
  "completed",
  "discarded",
  "cancelled",
] as const;
export type JobState = (typeof JOB_STATES)[number];

/** Decimal string: ids are bigints and may exceed 2^53. */
export type JobId = string;

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JobPayload = { [key: string]: Json };

/** A job to be enqueued. */
export interface NewJob {
  queue: QueueName;
  /** Lane name, unique in the queue across tenants: starts with the id of what owns it. No ":" . */
  lane: string;
  workspaceId: string;
  /** What the handler switches on, e.g. `update`, `send`. */
  kind: string;
  /** Queues ordered per key: jobs of one key keep their order (outbound: the chat id). */
  orderingKey?: string;
  /**
   * 0 (first) to 9 (last); default 5. Only queues ordered per key look at it, between keys: one choice in
   * eight goes to less urgent ones all the same. What stands before a job in its key goes with its
   * priority; but 0, critical, passes all of its key that are not, unless one of them is in flight.
   */
  priority?: number;
  /**
   * Somebody waits for it now: its lane goes before other lanes of its workspace. The order inside
   * the lane stays. A job of a later time is not.
   */
  urgent?: boolean;
  /** Small; ids and settings. What is large or must stay byte for byte goes into `body`. */
  payload?: JobPayload;
  /** Raw bytes kept beside the job in `job_bodies` (ingest: the update as it came). */
  body?: Buffer;
  /** Idempotent enqueue: a second job of this queue with the same key is not created. */
  uniqueKey?: string;
  /** Not before this time; default now. In its key it takes its place by this time. */
  runAt?: Date;
  /** Attempts before it is discarded; default: the queue's. */
  maxAttempts?: number;
  /** The job that caused this one, for tracing. */
  causeId?: JobId;
}

export interface Enqueued {
  /** Null for a duplicate. */
  id: JobId | null;
  /** True when a job with this `uniqueKey` existed already; nothing was written. */
  duplicate: boolean;
}

/** A claimed job, as handlers see it. */
export interface Job {
  id: JobId;
  queue: QueueName;
  lane: string;
  workspaceId: string;
  kind: string;
  orderingKey: string | null;
  priority: number;
  payload: JobPayload;
  body: Buffer | null;
  /** Attempts begun when it was claimed: before `run`, those before this one. */
  attempts: number;
  maxAttempts: number;
  createdAt: Date;
  causeId: JobId | null;
}

/** What became of a job. */
export type Outcome =
  | { type: "complete" }
  /** A failed attempt; `afterMs` overrides the backoff. Discards when attempts are spent. */
  | { type: "retry"; errorClass: string; error: string; afterMs?: number }
  /**
   * Not the job's fault (429, flood wait): no attempt is spent. `newKey`, of a queue ordered per key:
   * the job's ordering key is this one from now on, and all that waits under the old one joins it.
   */
  | { type: "pause"; untilMs: number; reason: string; newKey?: string }
  /** Will never succeed: a dead letter at once. */
  | { type: "discard"; errorClass: string; error: string };

/** Jobs of one lane, in order. Non-empty. */
export interface LaneBatch {
  lane: string;
  workspaceId: string;
  jobs: Job[];
}

/**
 * Work whose effects are rows in this database: effects and completion commit together, for many
 * lanes in one transaction (group commit).
 */
export interface TransactionalHandler {
  mode: "transactional";
  /**
   * Applies the effects of every job of every lane, inside `tx`, in order within a lane. The leases
   * are checked and the completions written after it, in the same transaction: whatever it wrote
   * for a lane that was lost meanwhile is rolled back.
   *
   * Throwing rolls everything back; the lanes are then tried one by one, and the lane that fails
   * job by job, so the error of the last try belongs to one job. Throw `Retry`, `Pause` or
   * `Discard` (errors.ts) to say what should become of it; anything else is a retry with backoff.
   */
  run(tx: Transaction, lanes: LaneBatch[]): Promise<void>;
}

/**
 * Work whose effect is outside this database: one attempt at a time, each recorded. Attempts of
 * different lanes that begin or end in the same moment share a transaction, so `begin` and `finish`
 * are set-based. `Own` is what the handler keeps of an attempt from its begin to its end.
 */
export interface ExternalHandler<Own = unknown> {
  mode: "external";
  /**
   * Called when a drain has taken the lane's lease, whose epoch it is told, and that of the one before it;
   * the runner lives as long as the drain.
   */
  open(lane: {
    lane: string;
    workspaceId: string;
    epoch: string;
    previousEpoch?: string;
    /** That one ended without a release. */
    inherited?: boolean;
  }): Promise<LaneRunner<Own>>;
  /**
   * Inside the transaction that marks the jobs running, under the fences of their lanes: attempt
   * rows. Answers what each attempt is to keep, by job. Throwing rolls everything back; each job is
   * then tried alone, so the error of the last try belongs to one job.
   */
  begin?(tx: Transaction, jobs: Job[]): Promise<Map<JobId, Own>>;
  /**
   * Inside the transaction that records the outcomes, by attempt, lease or no lease; each job once.
   * Among several none is a discard or has a new key. Throwing is as in `begin`; what fails alone is recorded without it.
   * `onlyEssential`: what must be known of the outcome itself, without what is locked.
   */
  finish?(
    tx: Transaction,
    ends: EndedAttempt<Own>[],
    options: { onlyEssential: boolean },
  ): Promise<void>;
}

export type Choice =
  | { job: Job }
  /**
   * None of these may start before this time (ms since the epoch). `forAll`: nothing of the lane may,
   * whatever is enqueued until then.
   */
  | { waitUntilMs: number; forAll?: boolean };

/** An attempt's end, and what the ledger made of it. */
export interface EndedAttempt<Own = unknown> {
  job: Job;
  /** What `begin` or `orphan` answered for it; null: nothing. */
  own: Own | null;
  outcome: Outcome;
  /** `retryable`: it will run again; `discarded`: it will not. */
  state: "completed" | "retryable" | "discarded";
  /**
   * False when a successor had already given a verdict on this attempt: the job's row is as the
   * successor left it, and only the attempt's own record may be mended.
   */
  applied: boolean;
}

export interface LaneRunner<Own = unknown> {
  /**
   * Ordering keys that may not start anything now, and when the first of them (or the whole lane)
   * may again, in ms since the epoch. However many of their jobs wait, they are passed at once.
   */
  held?(nowMs: number): { keys: string[]; untilMs: number | null };
  /**
   * How many of the lane's jobs may be in flight now; asked before each start. At least one may, and
   * never more than the pool allows. Default: as many as that.
   */
  concurrency?(): number;
  /**
   * Picks which of the ready jobs starts now. `ready` holds due jobs that the lane's order allows
   * to start, at most one a key in a queue ordered per key, in the order in which they are to be
   * tried (class-share.ts); not all there are, and non-empty. The job that is picked is begun next,
   * or `notBegun` is told, so a pace counts it here. Default: the first.
   */
  choose?(ready: Job[], nowMs: number): Choice;
  /** Nothing was in flight for a while, and the lane was kept: what others did meanwhile may be read. */
  refresh?(): Promise<void>;
  /** What was picked did not begin after all: nothing of it will leave. */
  notBegun?(job: Job): void;
  /** The outside call. `signal` aborts when the worker must stop at once. Throwing: see errors.ts. */
  run(job: Job, signal: AbortSignal, own: Own | null): Promise<Outcome>;
  /**
   * What became of a job that a dead holder left running? `job.attempts` counts that attempt.
   * A `pause` outcome to a later time means: not known before `untilMs`, ask again. Default: retry.
   * `neverLeft`: the attempt was cut off before its call, which is certain. `isInnocent`: the attempt
   * had got further, so that its job is not what kills workers; it is spent all the same.
   */
  orphan?(
    job: Job,
    options: { neverLeft: boolean },
  ): Promise<{ outcome: Outcome; own?: Own | null; isInnocent?: boolean }>;
  close?(): Promise<void>;
}

/** Told when people change jobs by hand, inside the change's own transaction. */
export interface JobHooks {
  discarded?(tx: Transaction, jobs: Job[]): Promise<void>;
  retried?(tx: Transaction, jobs: Job[]): Promise<void>;
  cancelled?(tx: Transaction, jobs: Job[]): Promise<void>;
  /** Jobs that waited for a later time are due now: what keeps that time elsewhere must follow. */
  ranNow?(tx: Transaction, jobs: Job[]): Promise<void>;
}

export type Handler = TransactionalHandler | ExternalHandler;
export type LaneOrder = "strict" | "per-key" | "free";
