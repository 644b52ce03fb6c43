import type { Queryable } from "../platform/index.ts";

/**
 * How many jobs there are, without counting them. Who files jobs adds to `job_counts`; who changes
 * or drops a filed one appends to `job_count_changes`, where no two writers wait for each other, and
 * the fold moves that to the counts every second or two. The truth is the sum of both and of what is
 * not filed, read in one snapshot, so it is exact whether anybody files and folds or not.
 */

/** Changes moved by one statement: bounds what a fold after a long pause holds. */
const FOLD_ROWS = 20_000;

/** One process at a time: others find the lock taken and leave it to that one. */
const FOLD = `/* jobs.fold-counts */
WITH alone AS MATERIALIZED (
  SELECT pg_try_advisory_xact_lock(hashtext('heliograph'), hashtext('job-counts')) AS yes
), taken AS (
  DELETE FROM job_count_changes
  WHERE (SELECT yes FROM alone)
    AND ctid = ANY (ARRAY(SELECT ctid FROM job_count_changes LIMIT ${FOLD_ROWS}))
  RETURNING workspace_id, shelf, change
), counted AS (
  INSERT INTO job_counts AS c (workspace_id, shelf, count)
  SELECT workspace_id, shelf, sum(change) FROM taken
  GROUP BY 1, 2 HAVING sum(change) <> 0 ORDER BY 1, 2
  ON CONFLICT (workspace_id, shelf) DO UPDATE SET count = c.count + excluded.count
)
SELECT count(*)::int AS folded FROM taken`;

/** Folds what has changed; answers how many rows that were. */
export async function foldCounts(on: Queryable): Promise<number> {
  for (let folded = 0; ; ) {
    const [row] = await on.query<{ folded: number }>(FOLD);
    folded += row?.folded ?? 0;
    if ((row?.folded ?? 0) < FOLD_ROWS) return folded;
  }
}

/** A point of the clock of ids every ten seconds: how exactly a search by time begins. */
const TICK = `/* jobs.tick */
INSERT INTO job_clock (at, last_id)
SELECT now(), last_value FROM job_ids
WHERE NOT EXISTS (SELECT FROM job_clock WHERE at > now() - interval '10 s')
ON CONFLICT DO NOTHING`;

/** Notes which id is the newest now, if nobody has lately. */
export async function tickClock(on: Queryable): Promise<void> {
  await on.query(TICK);
}
