import { setTimeout as delay } from "node:timers/promises";
import type { Database, Queryable } from "../platform/index.ts";
import { SHELF } from "./shelf.ts";
import { walkInOrder } from "./walk-in-order.ts";

/**
 * Filing: what people search by and count is kept up a moment after the jobs, not with them. A job
 * that is over, or has waited for a while, enters the indexes of searches and the counts together
 * with hundreds of others, once; so those who insert and complete jobs write none of it, and most
 * jobs are never in an index under a state they left within milliseconds. Whoever changes a job
 * takes it out again (`filed = false`). What is not filed is found by looking at all of it
 * (`jobs_unfiled`): little, as long as somebody files, and every answer is exact either way.
 */

/** A job that waits for longer than this is looked for, and there may be many of them. */
const WAITED = "interval '10 s'";
/** Jobs of one transaction: a commit that completes one of them waits for no more than that. */
const BATCH_JOBS = 200;
/** Between two batches: most of the time is everybody else's. */
const PAUSE_MS = 10;

/** One process at a time: the counts are added to without waiting for anybody. */
const FILE = `/* jobs.file */
WITH alone AS MATERIALIZED (
  SELECT pg_try_advisory_xact_lock(hashtext('heliograph'), hashtext('job-counts')) AS yes
), ripe AS MATERIALIZED (
  SELECT j.workspace_id, j.id FROM jobs j
  WHERE NOT j.filed AND j.id > $1 AND (SELECT yes FROM alone)
    AND (j.finished_at IS NOT NULL OR j.created_at < now() - ${WAITED})
  ORDER BY j.id LIMIT ${BATCH_JOBS}
  FOR NO KEY UPDATE SKIP LOCKED
), filed AS (
  UPDATE jobs j SET filed = true, shelf = ${SHELF} FROM ripe r
  WHERE j.workspace_id = r.workspace_id AND j.id = r.id
  RETURNING j.workspace_id, j.shelf, j.state, j.finished_at
), counted AS (
  INSERT INTO job_counts AS c (workspace_id, shelf, count)
  SELECT workspace_id, shelf, count(*) FROM filed GROUP BY 1, 2 ORDER BY 1, 2
  ON CONFLICT (workspace_id, shelf) DO UPDATE SET count = c.count + excluded.count
), rated AS (
  INSERT INTO job_rates AS r (slice, workspace_id, shelf, completed)
  SELECT date_bin('5 s', finished_at, 'epoch'), workspace_id, shelf, count(*) FROM filed
  WHERE state = 'completed' AND finished_at IS NOT NULL
  GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (slice, workspace_id, shelf) DO UPDATE SET completed = r.completed + excluded.completed
)
SELECT (SELECT count(*) FROM filed)::int AS filed, (SELECT max(id) FROM ripe) AS last_id`;

/** Ids since the oldest that is not filed: at most so many jobs are not. */
const BEHIND = `/* jobs.filing-behind */
SELECT coalesce(
  (SELECT last_value FROM job_ids) - (SELECT id FROM jobs WHERE NOT filed ORDER BY id LIMIT 1) + 1, 0
)::int AS jobs`;

/** How many jobs may not be filed yet, at most. */
export async function filingBehind(on: Queryable): Promise<number> {
  return (await on.query<{ jobs: number }>(BEHIND))[0]?.jobs ?? 0;
}

/**
 * Files what is ripe, in batches, up to about `limit` jobs; answers how many that were. Throws the
 * database's errors.
 */
export async function fileJobs(
  db: Database,
  { limit = Number.POSITIVE_INFINITY, signal }: { limit?: number; signal?: AbortSignal } = {},
): Promise<number> {
  let filed = 0;
  let afterId = "0";
  while (filed < limit && !signal?.aborted) {
    const [row] = await db.transaction(async (tx) => {
      await walkInOrder(tx);
      return tx.query<{ filed: number; last_id: string | null }>(FILE, [afterId]);
    });
    filed += row?.filed ?? 0;
    if (row === undefined || row.last_id === null || row.filed < BATCH_JOBS) break;
    afterId = row.last_id;
    await delay(PAUSE_MS);
  }
  return filed;
}
