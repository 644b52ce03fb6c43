import type { Database, Logger, Queryable } from "../platform/index.ts";
import { shelfOf } from "./shelf.ts";
import { QUEUES } from "./types.ts";

/**
 * How many jobs there are, without counting them. A trigger appends each statement's changes to
 * `job_count_changes`, where no two writers wait for each other; the fold moves them to
 * `job_counts` every second or two. The truth is the sum of both, read in one snapshot, so it is
 * exact whether anybody folds or not: folding only keeps the sum short.
 */

/** Changes moved by one statement: bounds what a fold after a long pause holds. */
const FOLD_ROWS = 20_000;
const COMPLETED = QUEUES.map((queue) => shelfOf(queue, "completed"));

/** One process at a time: others find the lock taken and leave it to that one. */
const FOLD = `/* jobs.fold-counts */
WITH alone AS MATERIALIZED (
  SELECT pg_try_advisory_xact_lock(hashtext('heliograph'), hashtext('job-counts')) AS yes
), taken AS (
  DELETE FROM job_count_changes
  WHERE (SELECT yes FROM alone)
    AND ctid = ANY (ARRAY(SELECT ctid FROM job_count_changes LIMIT ${FOLD_ROWS}))
  RETURNING workspace_id, shelf, change, changed_at
), counted AS (
  INSERT INTO job_counts AS c (workspace_id, shelf, count)
  SELECT workspace_id, shelf, sum(change) FROM taken
  GROUP BY 1, 2 HAVING sum(change) <> 0 ORDER BY 1, 2
  ON CONFLICT (workspace_id, shelf) DO UPDATE SET count = c.count + excluded.count
), rated AS (
  INSERT INTO job_rates AS r (slice, workspace_id, shelf, completed)
  SELECT date_bin('5 s', changed_at, 'epoch'), workspace_id, shelf, sum(change) FROM taken
  WHERE change > 0 AND shelf = ANY ($1::smallint[])
  GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (slice, workspace_id, shelf) DO UPDATE SET completed = r.completed + excluded.completed
)
SELECT count(*)::int AS folded FROM taken`;

/** Folds what has changed; answers how many rows that were. */
export async function foldCounts(on: Queryable): Promise<number> {
  for (let folded = 0; ; ) {
    const [row] = await on.query<{ folded: number }>(FOLD, [COMPLETED]);
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

const DROP_RATES = `/* jobs.drop-rates */
DELETE FROM job_rates WHERE slice < now() - interval '10 min'`;

/** The service that keeps the counts short and the clock of ids running. */
export interface CountKeeper {
  start(): void;
  /** Ends after the run under way. */
  stop(): Promise<void>;
  /** Folds, ticks, and forgets old rates, once. Throws the database's errors. */
  runOnce(): Promise<void>;
}

export interface CountKeeperOptions {
  db: Database;
  log: Logger;
  /** Default 2 000. */
  everyMs?: number;
}

/** Runs in every process: whoever comes first does the work, and all others find none. */
export function createCountKeeper({ db, log, everyMs = 2_000 }: CountKeeperOptions): CountKeeper {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  const runOnce = async () => {
    await foldCounts(db);
    await tickClock(db);
    await db.query(DROP_RATES);
  };
  return {
    runOnce,
    start: () => {
      timer ??= setInterval(() => {
        running ??= runOnce()
          // Nothing is lost meanwhile: the sum of counts and changes stays true.
          .catch((error) => log.warn({ err: error }, "counts could not be folded"))
          .finally(() => {
            running = undefined;
          });
      }, everyMs);
    },
    stop: async () => {
      clearInterval(timer);
      await running;
    },
  };
}
