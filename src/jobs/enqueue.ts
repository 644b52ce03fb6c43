import {
  Batcher,
  type Database,
  isUnavailable,
  type Queryable,
  type Transaction,
} from "../platform/index.ts";
import { QUEUE_POLICIES } from "./policies.ts";
import type { Enqueued, NewJob, QueueName } from "./types.ts";

/**
 * The order in which a transaction takes lanes of several queues: a queue stands behind those its
 * work may enqueue to, because a drain takes its own lanes last (`finishLanes`).
 */
const LOCK_ORDER: QueueName[] = [
  "delivery",
  "outbound",
  "evidence",
  "backfill",
  "schedule",
  "ingest",
];

/**
 * Enqueue, in one statement: unique keys first, then the lane rows in lock order with
 * `seq` raised and `due_at` lowered, then the jobs numbered in arrival order. The sort on `n`
 * reads every lane row before the first id is drawn, so ids inside a lane follow commit order.
 */
const ENQUEUE = `/* jobs.enqueue */
WITH input AS MATERIALIZED (
  SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[],
    $7::smallint[], $8::jsonb[], $9::bytea[], $10::text[], $11::timestamptz[], $12::smallint[],
    $13::bigint[]) AS i(n, queue, lane, workspace_id, kind, ordering_key, priority, payload, body,
    unique_key, run_at, max_attempts, cause_id)
), keys AS (
  INSERT INTO job_keys (queue, key)
  SELECT DISTINCT queue, unique_key FROM input WHERE unique_key IS NOT NULL ORDER BY 1, 2
  ON CONFLICT DO NOTHING
  RETURNING queue, key
), fresh AS MATERIALIZED (
  SELECT * FROM input WHERE unique_key IS NULL
  UNION ALL
  SELECT * FROM (
    SELECT DISTINCT ON (i.queue, i.unique_key) i.*
    FROM input i JOIN keys k ON k.queue = i.queue AND k.key = i.unique_key
    ORDER BY i.queue, i.unique_key, i.n
  ) first_of_key
), locked AS (
  INSERT INTO lanes AS l (queue, lane, workspace_id, seq, due_at)
  SELECT queue, lane, min(workspace_id::text)::uuid, 1, min(coalesce(run_at, now()))
  FROM fresh GROUP BY queue, lane ORDER BY array_position($14::text[], queue), lane
  ON CONFLICT (queue, lane) DO UPDATE
    SET seq = l.seq + 1, due_at = least(l.due_at, excluded.due_at)
  RETURNING queue, lane
), numbered AS MATERIALIZED (
  SELECT nextval('job_ids') AS id, o.* FROM (
    SELECT f.* FROM fresh f JOIN locked l ON l.queue = f.queue AND l.lane = f.lane ORDER BY f.n
  ) o
), bodies AS (
  INSERT INTO job_bodies (workspace_id, job_id, body, created_at)
  SELECT workspace_id, id, body, clock_timestamp() FROM numbered WHERE body IS NOT NULL
), inserted AS (
  INSERT INTO jobs (workspace_id, id, queue, lane, kind, ordering_key, priority, payload, run_at,
    max_attempts, cause_id, created_at)
  SELECT workspace_id, id, queue, lane, kind, ordering_key, priority, payload,
    coalesce(run_at, now()), max_attempts, cause_id, clock_timestamp()
  FROM numbered
)
SELECT n, id FROM numbered`;

const DEFAULT_PRIORITY = 5;

/**
 * Inserts jobs with `tx` or the pool. Duplicates (within the batch or against earlier jobs) are
 * not inserted. Lanes are locked until the surrounding transaction ends: call it late in one.
 */
export async function insertJobs(on: Queryable, jobs: NewJob[]): Promise<Enqueued[]> {
  if (jobs.length === 0) return [];
  const rows = await on.query<{ n: number; id: string }>(ENQUEUE, [
    jobs.map((_, n) => n),
    jobs.map((job) => job.queue),
    jobs.map((job) => job.lane),
    jobs.map((job) => job.workspaceId),
    jobs.map((job) => job.kind),
    jobs.map((job) => job.orderingKey ?? null),
    jobs.map((job) => job.priority ?? DEFAULT_PRIORITY),
    jobs.map((job) => JSON.stringify(job.payload ?? {})),
    jobs.map((job) => job.body ?? null),
    jobs.map((job) => job.uniqueKey ?? null),
    jobs.map((job) => job.runAt?.toISOString() ?? null),
    jobs.map((job) => job.maxAttempts ?? QUEUE_POLICIES[job.queue].maxAttempts),
    jobs.map((job) => job.causeId ?? null),
    LOCK_ORDER,
  ]);
  const ids = new Map(rows.map((row) => [row.n, row.id]));
  return jobs.map((_, n) => {
    const id = ids.get(n);
    return id === undefined ? { id: null, duplicate: true } : { id, duplicate: false };
  });
}

/** Says that lanes have something to do. Must not throw and must not wait. */
export type Wake = (queue: NewJob["queue"], lanes: Iterable<string>) => void;

export interface Enqueuer {
  /**
   * Commits one job, together with whatever else this process enqueues at the moment, and wakes
   * its lane. Throws `Overloaded` when too much waits already, or the database's error.
   */
  enqueue(job: NewJob): Promise<Enqueued>;
  /** Inserts jobs in the caller's transaction; the wakes leave after its commit. */
  enqueueIn(tx: Transaction, jobs: NewJob[]): Promise<Enqueued[]>;
}

/** Inserts under way side by side; a lane always goes through the same one. */
const BATCHERS = 2;
const MAX_BATCH_JOBS = 300;
const MAX_BATCH_BYTES = 4_000_000;
/** Bodies are at most 1 MB, and mostly 1 kB: this bounds what waits in memory. */
const MAX_QUEUED_JOBS = 2_000;

export function createEnqueuer(db: Database, wake: Wake): Enqueuer {
  const wakeFresh = (jobs: NewJob[], results: Enqueued[]) => {
    const lanes = new Map<NewJob["queue"], Set<string>>();
    for (const [n, job] of jobs.entries()) {
      // A job of the future gets no wake: its lane's due_at does that.
      if (results[n]?.duplicate || (job.runAt && job.runAt.getTime() > Date.now())) continue;
      const ofQueue = lanes.get(job.queue) ?? new Set();
      lanes.set(job.queue, ofQueue.add(job.lane));
    }
    for (const [queue, names] of lanes) wake(queue, names);
  };

  const batchers = Array.from(
    { length: BATCHERS },
    () =>
      new Batcher<NewJob, Enqueued>({
        maxItems: MAX_BATCH_JOBS,
        maxWeight: MAX_BATCH_BYTES,
        weigh: (job) => job.body?.length ?? 0,
        maxQueued: MAX_QUEUED_JOBS,
        isShared: isUnavailable,
        run: async (jobs) => {
          const results = await insertJobs(db, jobs);
          wakeFresh(jobs, results);
          return results;
        },
      }),
  );

  return {
    enqueue: (job) => (batchers[batcherOf(job.lane)] as Batcher<NewJob, Enqueued>).add(job),
    enqueueIn: async (tx, jobs) => {
      const results = await insertJobs(tx, jobs);
      tx.afterCommit(() => wakeFresh(jobs, results));
      return results;
    },
  };
}

function batcherOf(lane: string): number {
  let hash = 0;
  for (let index = 0; index < lane.length; index++) {
    hash = (Math.imul(hash, 31) + lane.charCodeAt(index)) | 0;
  }
  return Math.abs(hash) % BATCHERS;
}
