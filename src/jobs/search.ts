import type { Queryable, Transactor } from "../platform/index.ts";
import {
  isJobId,
  JobSearch,
  type SearchWindow,
  type WhichJobs,
  type WordMatch,
  wordMatches,
} from "./filter.ts";
import { inLedger } from "./own-ledger.ts";
import { keptCount } from "./queue-counts.ts";
import type { Standing } from "./shelf.ts";
import type { JobId, QueueName } from "./types.ts";
import { inOneSnapshot, lookUpWords, walkInOrder } from "./walk-in-order.ts";

/** A job as people see it. Times are ISO 8601. */
export interface JobView {
  id: JobId;
  workspaceId: string;
  queue: QueueName;
  lane: string;
  kind: string;
  state: Standing;
  priority: number;
  attempts: number;
  maxAttempts: number;
  runAt: string;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  runMs: number | null;
  worker: string | null;
  errorClass: string | null;
  error: string | null;
  causeId: JobId | null;
}

export interface AttemptView {
  attempt: number;
  outcome: string;
  worker: string | null;
  startedAt: string | null;
  finishedAt: string;
  runMs: number | null;
  errorClass: string | null;
  error: string | null;
}

const VIEW = `j.id, j.workspace_id AS "workspaceId", j.queue, j.lane, j.kind,
  CASE WHEN j.state = 'available' AND j.run_at > now() THEN 'scheduled' ELSE j.state END AS state,
  j.priority, j.attempts, j.max_attempts AS "maxAttempts", j.run_at AS "runAt",
  j.created_at AS "createdAt", j.started_at AS "startedAt", j.finished_at AS "finishedAt",
  j.run_ms AS "runMs", j.worker, j.error_class AS "errorClass", j.error, j.cause_id AS "causeId"`;

/**
 * Runs a search, with `sqlOf` around what it finds. The cost of a page is that of what it shows,
 * whatever else the ledger holds (docs/decisions/0009), because each source has one index to walk
 * in order, and the planner is not asked whether it would rather do something else.
 */
async function search<Row extends object>(
  db: Transactor,
  { which, window }: { which: WhichJobs; window: SearchWindow },
  sqlOf: (found: string) => string,
): Promise<Row[]> {
  return inLedger(db, which.workspaceId, async (tx) => {
    let matches: WordMatch[] = [];
    if (which.text?.trim() && which.id === undefined) {
      await inOneSnapshot(tx);
      await lookUpWords(tx);
      const { sql, params } = wordMatches(which.text);
      matches = await tx.query<WordMatch>(sql, params);
    }
    await walkInOrder(tx);
    const jobSearch = new JobSearch(which, window, matches);
    const sql = sqlOf(jobSearch.found());
    return tx.query<Row>(sql, jobSearch.params);
  });
}

/** What matches, newest first; `beforeId` continues after the last id of the page before. */
export async function listJobs(
  db: Transactor,
  filter: WhichJobs,
  page: { limit: number; beforeId?: JobId },
): Promise<JobView[]> {
  const window: SearchWindow = { limit: page.limit, afterId: page.beforeId };
  const rows = await search<JobView>(
    db,
    { which: filter, window },
    (found) => `
    WITH found AS MATERIALIZED (${found})
    SELECT j.* FROM found f CROSS JOIN LATERAL (
      SELECT ${VIEW} FROM jobs j WHERE j.workspace_id = f.workspace_id AND j.id = f.id OFFSET 0
    ) j
    ORDER BY j.id DESC`,
  );
  return rows.map(asView);
}

const MAX_ATTEMPTS_SHOWN = 200;

const ATTEMPTS = `SELECT attempt, outcome, worker, started_at AS "startedAt", finished_at AS "finishedAt",
  run_ms AS "runMs", error_class AS "errorClass",
  error || CASE WHEN outcome = 'died' THEN coalesce(': ' || reason, '') ELSE '' END AS error
FROM (
  SELECT * FROM job_attempts WHERE workspace_id = $1 AND job_id = $2
  ORDER BY id DESC LIMIT $3
) latest LEFT JOIN worker_deaths USING (worker) ORDER BY id`;

/** A job with its latest failed attempts, oldest first; null when there is none (for this workspace). */
export async function getJob(
  db: Transactor,
  { id, workspaceId }: { id: JobId; workspaceId?: string },
): Promise<(JobView & { attemptLog: AttemptView[] }) | null> {
  if (!isJobId(id)) return null;
  const [job] = await listJobs(db, { id, workspaceId }, { limit: 1 });
  if (job === undefined) return null;
  const attemptsOf = (on: Queryable) =>
    on.query<AttemptView>(ATTEMPTS, [job.workspaceId, id, MAX_ATTEMPTS_SHOWN]);
  return { ...job, attemptLog: await inLedger(db, job.workspaceId, attemptsOf) };
}

/** A job that was found, with the lane that its changer must lock. */
export interface FoundJob {
  id: JobId;
  workspace_id: string;
  queue: QueueName;
  lane: string;
}

/** What matches, with the lanes to be locked; in the order of ids. */
export async function findJobs(
  db: Transactor,
  which: WhichJobs,
  window: SearchWindow,
): Promise<FoundJob[]> {
  return search<FoundJob>(
    db,
    { which, window },
    (found) => `
    WITH found AS MATERIALIZED (${found})
    SELECT j.* FROM found f CROSS JOIN LATERAL (
      SELECT j.id, j.workspace_id, j.queue, j.lane FROM jobs j
      WHERE j.workspace_id = f.workspace_id AND j.id = f.id OFFSET 0
    ) j
    ORDER BY j.id`,
  );
}

/** How many match. `capped`: there are at least `count`, and nobody has counted further. */
export interface Count {
  count: number;
  capped: boolean;
}

/** One by one up to here; what is asked for by queue and state alone is known to the last job. */
const MAX_COUNTED = 10_000;

/** Counts what matches: exactly where counts are kept, otherwise up to 10 000. */
export async function countJobs(db: Transactor, which: WhichJobs): Promise<Count> {
  const { workspaceId, queue, states, ...others } = which;
  if (Object.values(others).every((value) => value === undefined)) {
    const count = await inLedger(db, workspaceId, async (tx) => {
      await walkInOrder(tx);
      return keptCount(tx, { workspaceId, queue, states });
    });
    return { count, capped: false };
  }
  const window: SearchWindow = { limit: MAX_COUNTED + 1 };
  const [row] = await search<{ count: number }>(
    db,
    { which, window },
    (found) => `SELECT count(*)::int AS count FROM (${found}) f`,
  );
  const count = row?.count ?? 0;
  return { count: Math.min(count, MAX_COUNTED), capped: count > MAX_COUNTED };
}

function asView(row: JobView): JobView {
  const iso = (value: unknown) => (value instanceof Date ? value.toISOString() : null);
  return {
    ...row,
    runAt: iso(row.runAt) ?? "",
    createdAt: iso(row.createdAt) ?? "",
    startedAt: iso(row.startedAt),
    finishedAt: iso(row.finishedAt),
  };
}
