import type { Queryable } from "../platform/index.ts";
import { isJobId, JobSearch, MANY_MATCHES, type SearchWindow, type WhichJobs } from "./filter.ts";
import type { Standing } from "./shelf.ts";
import type { JobId, QueueName } from "./types.ts";

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

/** Whether the words of a search are in so many errors that they are better looked for in order. */
async function searchFor(
  on: Queryable,
  which: WhichJobs,
  window: SearchWindow,
): Promise<JobSearch> {
  if (!which.text?.trim() || which.id !== undefined) return new JobSearch(which, window);
  const probe = new JobSearch(which, window);
  const [row] = await on.query<{ many: boolean }>(
    `SELECT count(*) > ${MANY_MATCHES} AS many FROM (${probe.wordMatches()}) m`,
    probe.params,
  );
  return new JobSearch(which, window, row?.many ? "many" : "few");
}

/**
 * What matches, newest first; `beforeId` continues after the last id of the page before. The cost
 * of a page is that of what it shows, whatever else the ledger holds (docs/decisions/0007).
 */
export async function listJobs(
  on: Queryable,
  filter: WhichJobs,
  page: { limit: number; beforeId?: JobId },
): Promise<JobView[]> {
  const search = await searchFor(on, filter, { limit: page.limit, afterId: page.beforeId });
  const sql = search.found();
  const rows = await on.query<JobView>(
    `WITH found AS MATERIALIZED (${sql})
     SELECT j.* FROM found f CROSS JOIN LATERAL (
       SELECT ${VIEW} FROM jobs j WHERE j.workspace_id = f.workspace_id AND j.id = f.id OFFSET 0
     ) j
     ORDER BY j.id DESC`,
    search.params,
  );
  return rows.map(asView);
}

/** A job with its failed attempts, oldest first; null when there is none (for this workspace). */
export async function getJob(
  on: Queryable,
  { id, workspaceId }: { id: JobId; workspaceId?: string },
): Promise<(JobView & { attemptLog: AttemptView[] }) | null> {
  if (!isJobId(id)) return null;
  const [job] = await listJobs(on, { id, workspaceId }, { limit: 1 });
  if (job === undefined) return null;
  const attemptLog = await on.query<AttemptView>(
    `SELECT attempt, outcome, worker, started_at AS "startedAt", finished_at AS "finishedAt",
       run_ms AS "runMs", error_class AS "errorClass", error
     FROM job_attempts WHERE workspace_id = $1 AND job_id = $2 ORDER BY id LIMIT 200`,
    [job.workspaceId, id],
  );
  return { ...job, attemptLog };
}

/** A job that was found, with the lane that its changer must lock. */
export interface FoundJob {
  id: JobId;
  workspace_id: string;
  queue: QueueName;
  lane: string;
}

/** What matches, with the lanes to be locked. */
export async function findJobs(
  on: Queryable,
  which: WhichJobs,
  window: SearchWindow,
): Promise<FoundJob[]> {
  const search = await searchFor(on, which, window);
  const sql = search.found();
  return on.query<FoundJob>(
    `WITH found AS MATERIALIZED (${sql})
     SELECT j.* FROM found f CROSS JOIN LATERAL (
       SELECT j.id, j.workspace_id, j.queue, j.lane FROM jobs j
       WHERE j.workspace_id = f.workspace_id AND j.id = f.id OFFSET 0
     ) j
     ORDER BY j.id`,
    search.params,
  );
}

/** How many match. `capped`: there are at least `count`, and nobody has counted further. */
export interface Count {
  count: number;
  capped: boolean;
}

/** Counts what matches, up to `cap`. */
export async function countJobs(on: Queryable, which: WhichJobs, cap: number): Promise<Count> {
  const search = await searchFor(on, which, { limit: cap + 1 });
  const [row] = await on.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM (${search.found()}) f`,
    search.params,
  );
  const count = row?.count ?? 0;
  return { count: Math.min(count, cap), capped: count > cap };
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
