import type { Database, Queryable, Transaction } from "../platform/index.ts";
import { InsertQueue } from "./insert-queue.ts";
import { LOCK_ORDER } from "./lock-order.ts";
import { QUEUE_POLICIES } from "./policies.ts";
import type { Enqueued, NewJob, QueueName } from "./types.ts";
import type { Wake, WokenLane } from "./wakes.ts";

/**
 * Enqueue, in one statement: unique keys first, then the lane rows in lock order with
 * `seq` raised and `due_at` lowered, then the jobs numbered in arrival order. The sort on `n`
 * reads every lane row before the first id is drawn, so ids inside a lane follow commit order.
 *
 * Only the insert that makes a lane due wakes it: until a drain has handed the lane back as empty,
 * a wake is on its way, or the lane is in somebody's hands, or the sweep will find it. So wakes do
 * not pile up, however many jobs do. A lane's first urgent job since then wakes it once more: the
 * wake on its way may stand far back. `urgent_seq` remembers that, and means nothing once the lane
 * has become due anew (`due_seq` is above it).
 *
 * The time it may wait for a lane's row is set in its first step: a transaction around it would cost
 * two more turns of a busy event loop, and a third of what a receiver can accept.
 */
const ENQUEUE = `/* jobs.enqueue */
WITH input AS MATERIALIZED (
  SELECT i.* FROM (
    SELECT set_config('lock_timeout', coalesce($15, current_setting('lock_timeout')), true)
  ) lock_timeout CROSS JOIN unnest($1::int[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[],
    $7::smallint[], $8::jsonb[], $9::bytea[], $10::text[], $11::timestamptz[], $12::smallint[],
    $13::bigint[], $16::boolean[]) AS i(n, queue, lane, workspace_id, kind, ordering_key, priority,
    payload, body, unique_key, run_at, max_attempts, cause_id, urgent)
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
  INSERT INTO lanes AS l (queue, lane, workspace_id, seq, due_at, due_seq, urgent_seq)
  SELECT queue, lane, min(workspace_id::text)::uuid, 1, min(coalesce(run_at, now())),
    CASE WHEN min(coalesce(run_at, now())) <= now() THEN 1 ELSE 0 END,
    CASE WHEN bool_or(urgent AND coalesce(run_at, now()) <= now()) THEN 1 ELSE -1 END
  FROM fresh GROUP BY queue, lane ORDER BY array_position($14::text[], queue), lane
  ON CONFLICT (queue, lane) DO UPDATE
    SET seq = l.seq + 1, due_at = least(l.due_at, excluded.due_at),
      due_seq = CASE WHEN excluded.due_at <= now() AND (l.due_at IS NULL OR l.due_at > now())
        THEN l.seq + 1 ELSE l.due_seq END,
      urgent_seq = CASE WHEN excluded.urgent_seq = 1
        AND (l.urgent_seq < l.due_seq OR l.due_at IS NULL OR l.due_at > now())
        THEN l.seq + 1 ELSE l.urgent_seq END
  RETURNING queue, lane,
    CASE WHEN urgent_seq = seq THEN 'urgent' WHEN due_seq = seq THEN 'plain' END AS wake
), numbered AS MATERIALIZED (
  SELECT nextval('job_ids') AS id, o.* FROM (
    SELECT f.*, l.wake FROM fresh f JOIN locked l ON l.queue = f.queue AND l.lane = f.lane ORDER BY f.n
  ) o
), bodies AS (
  INSERT INTO job_bodies (workspace_id, job_id, body, created_at)
  SELECT workspace_id, id, body, clock_timestamp() FROM numbered WHERE body IS NOT NULL
), inserted AS (
  INSERT INTO jobs (workspace_id, id, queue, lane, kind, ordering_key, priority, payload, run_at,
    max_attempts, cause_id, created_at)
  SELECT workspace_id, id, queue, lane, kind, ordering_key, priority, payload,
    coalesce(run_at, least(now(), clock_timestamp())), max_attempts, cause_id, clock_timestamp()
  FROM numbered
)
SELECT n, id, wake FROM numbered`;

const DEFAULT_PRIORITY = 5;

interface Inserted {
  results: Enqueued[];
  /** Lanes that were not due before, and those that are urgent from now on. */
  toWake: Map<QueueName, Map<string, WokenLane>>;
}

/** `lockTimeoutMs`: for a statement by itself; in a transaction its own limit stays. */
async function insert(
  on: Queryable,
  jobs: NewJob[],
  lockTimeoutMs: number | null = null,
): Promise<Inserted> {
  const toWake: Inserted["toWake"] = new Map();
  if (jobs.length === 0) return { results: [], toWake };
  const rows = await on.query<{ n: number; id: string; wake: "plain" | "urgent" | null }>(ENQUEUE, [
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
    lockTimeoutMs === null ? null : String(lockTimeoutMs),
    jobs.map((job) => job.urgent ?? false),
  ]);
  const results: Enqueued[] = jobs.map(() => ({ id: null, duplicate: true }));
  for (const { n, id, wake } of rows) {
    results[n] = { id, duplicate: false };
    const job = jobs[n];
    if (wake === null || job === undefined) continue;
    const lanes = toWake.get(job.queue) ?? new Map<string, WokenLane>();
    const { lane, workspaceId } = job;
    lanes.set(lane, { lane, workspaceId, urgent: wake === "urgent" });
    toWake.set(job.queue, lanes);
  }
  return { results, toWake };
}

/**
 * Inserts jobs with `tx` or the pool, and wakes nobody. Duplicates (within the batch or against
 * earlier jobs) are not inserted. Lanes are locked until the surrounding transaction ends: call it
 * late in one.
 */
export async function insertJobs(on: Queryable, jobs: NewJob[]): Promise<Enqueued[]> {
  return (await insert(on, jobs)).results;
}

export interface Enqueuer {
  /**
   * Commits one job, together with whatever else this process enqueues at the moment, and wakes
   * its lane. Throws `Overloaded` when too much waits already, or the database's error.
   */
  enqueue(job: NewJob): Promise<Enqueued>;
  /**
   * Inserts jobs in the caller's transaction, a workspace's or the engine's; the wakes leave after its
   * commit.
   */
  enqueueIn(tx: Transaction, jobs: NewJob[]): Promise<Enqueued[]>;
}

export function createEnqueuer(db: Database, wake: Wake): Enqueuer {
  const wakeAll = (toWake: Inserted["toWake"]) => {
    for (const [queue, lanes] of toWake) wake(queue, lanes.values());
  };
  const inserts = new InsertQueue(async (jobs, lockTimeoutMs) => {
    const { results, toWake } = await insert(db, jobs, lockTimeoutMs);
    wakeAll(toWake);
    return results;
  });

  return {
    enqueue: (job) => inserts.add(job),
    enqueueIn: async (tx, jobs) => {
      // Lanes and keys are shared by all workspaces: no workspace's own transaction may write there.
      const { results, toWake } = await insert(tx.engine, jobs);
      tx.afterCommit(() => wakeAll(toWake));
      return results;
    },
  };
}
