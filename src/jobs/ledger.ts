import createKnex, { type Knex } from "knex";
import { type Database, fewRows, type Queryable, type Transaction } from "../platform/index.ts";
import { claimedJob, JOB_COLUMNS, type JobRow } from "./claim.ts";
import { LOCK_ORDER } from "./lock-order.ts";
import type { Job, JobHooks, JobId, JobState, QueueName } from "./types.ts";
import type { Wake } from "./wakes.ts";

/** The ledger as people read and mend it. Only builds statements: the pool of `Database` runs them. */
const sql = createKnex({ client: "pg" });

/** What may be looked for. A tenant's calls always name their workspace. */
export interface JobFilter {
  workspaceId?: string;
  queue?: QueueName;
  /** `scheduled` is `available` with a time in the future. */
  state?: JobState | "scheduled";
  lane?: string;
  /** Id, or part of kind, lane, error class or error text. */
  text?: string;
}

export interface JobView {
  id: JobId;
  workspaceId: string;
  queue: QueueName;
  lane: string;
  kind: string;
  state: JobState | "scheduled";
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

const VIEW = `id, workspace_id AS "workspaceId", queue, lane, kind,
  CASE WHEN state = 'available' AND run_at > now() THEN 'scheduled' ELSE state END AS state,
  priority, attempts, max_attempts AS "maxAttempts", run_at AS "runAt", created_at AS "createdAt",
  started_at AS "startedAt", finished_at AS "finishedAt", run_ms AS "runMs", worker,
  error_class AS "errorClass", error, cause_id AS "causeId"`;

function filtered(filter: JobFilter): Knex.QueryBuilder {
  const query = sql("jobs");
  if (filter.workspaceId !== undefined) query.where("workspace_id", filter.workspaceId);
  if (filter.queue !== undefined) query.where("queue", filter.queue);
  if (filter.lane !== undefined) query.where("lane", filter.lane);
  if (filter.state === "scheduled") {
    query.where("state", "available").whereRaw("run_at > now()");
  } else if (filter.state === "available") {
    query.where("state", "available").whereRaw("run_at <= now()");
  } else if (filter.state !== undefined) {
    query.where("state", filter.state);
  }
  const text = filter.text?.trim();
  if (text !== undefined && text !== "") {
    const pattern = `%${text.replace(/[\\%_]/g, "\\$&")}%`;
    query.where((either) => {
      for (const column of ["kind", "lane", "error_class", "error"]) {
        either.orWhere(column, "ilike", pattern);
      }
      if (isJobId(text)) either.orWhere("id", text);
    });
  }
  return query;
}

const MAX_BIGINT = 2n ** 63n - 1n;

/** True for a decimal id that fits the column; anything else names no job. */
export function isJobId(text: string): boolean {
  return /^[0-9]{1,19}$/.test(text) && BigInt(text) <= MAX_BIGINT;
}

async function run<Row extends object>(on: Queryable, query: Knex.QueryBuilder): Promise<Row[]> {
  const { sql: text, bindings } = query.toSQL().toNative();
  return on.query<Row>(text, bindings);
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

/** Newest first; `beforeId` continues after the last id of the page before. */
export async function listJobs(
  db: Queryable,
  filter: JobFilter,
  page: { limit: number; beforeId?: JobId },
): Promise<JobView[]> {
  const query = filtered(filter).select(sql.raw(VIEW)).orderBy("id", "desc").limit(page.limit);
  if (page.beforeId !== undefined) query.where("id", "<", page.beforeId);
  return (await run<JobView>(db, query)).map(asView);
}

/** A job with its failed attempts, oldest first; null when there is none (for this workspace). */
export async function getJob(
  db: Queryable,
  { id, workspaceId }: { id: JobId; workspaceId?: string },
): Promise<(JobView & { attemptLog: AttemptView[] }) | null> {
  if (!isJobId(id)) return null;
  const query = filtered({ workspaceId }).select(sql.raw(VIEW)).where("id", id);
  const [job] = (await run<JobView>(db, query)).map(asView);
  if (job === undefined) return null;
  const attemptLog = await db.query<AttemptView>(
    `SELECT attempt, outcome, worker, started_at AS "startedAt", finished_at AS "finishedAt",
       run_ms AS "runMs", error_class AS "errorClass",
       error || CASE WHEN outcome = 'died' THEN coalesce(': ' || reason, '') ELSE '' END AS error
     FROM job_attempts LEFT JOIN worker_deaths USING (worker)
     WHERE workspace_id = $1 AND job_id = $2 ORDER BY id LIMIT 200`,
    [job.workspaceId, id],
  );
  return { ...job, attemptLog };
}

/** Most jobs one call changes; the answer says how many, and the call can be repeated. */
const MAX_CHANGED = 1_000;

const LOCK_LANES = `/* jobs.touch-lanes */
INSERT INTO lanes AS l (queue, lane, workspace_id, seq, due_at)
SELECT queue, lane, workspace_id, 1, now()
FROM unnest($1::text[], $2::text[], $3::uuid[]) AS t(queue, lane, workspace_id)
ORDER BY array_position($4::text[], queue), lane
ON CONFLICT (queue, lane) DO UPDATE SET seq = l.seq + 1, due_at = least(l.due_at, now())`;

export interface LedgerOptions {
  db: Database;
  wake: Wake;
  hooks: Partial<Record<QueueName, JobHooks>>;
}

/** Changes of jobs by hand. The lane's row is locked first, as by everybody who writes in a lane. */
export class Ledger {
  private readonly options: LedgerOptions;

  constructor(options: LedgerOptions) {
    this.options = options;
  }

  /** Gives dead letters their attempts back and makes them due; answers how many were changed. */
  async retry(filter: JobFilter & { id?: JobId }): Promise<number> {
    return this.change(filter, ["discarded", "cancelled"], "retried", (tx, jobs) =>
      tx.query<JobRow>(
        `/* jobs.retry */
         UPDATE jobs j SET state = 'available', attempts = 0, deaths = 0, run_at = now(),
           finished_at = NULL
         FROM (
           SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS t(workspace_id, id) ${fewRows("$1")}
         ) t
         WHERE j.workspace_id = t.workspace_id AND j.id = t.id
           AND j.state IN ('discarded', 'cancelled')
         RETURNING ${JOB_COLUMNS}, NULL AS body`,
        [jobs.map((job) => job.workspace_id), jobs.map((job) => job.id)],
      ),
    );
  }

  /** Makes waiting jobs dead letters; one that is running is left alone. Answers how many. */
  async discard(filter: JobFilter & { id?: JobId }): Promise<number> {
    return this.change(filter, ["available", "retryable"], "discarded", (tx, jobs) =>
      tx.query<JobRow>(
        `/* jobs.discard */
         UPDATE jobs j SET state = 'discarded', finished_at = now(),
           error_class = 'DiscardedByHand', error = 'discarded by hand'
         FROM (
           SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS t(workspace_id, id) ${fewRows("$1")}
         ) t
         WHERE j.workspace_id = t.workspace_id AND j.id = t.id
           AND j.state IN ('available', 'retryable')
         RETURNING ${JOB_COLUMNS}, NULL AS body`,
        [jobs.map((job) => job.workspace_id), jobs.map((job) => job.id)],
      ),
    );
  }

  private async change(
    filter: JobFilter & { id?: JobId },
    from: JobState[],
    hook: keyof JobHooks,
    update: (tx: Transaction, jobs: JobRow[]) => Promise<JobRow[]>,
  ): Promise<number> {
    if (filter.id !== undefined && !isJobId(filter.id)) return 0;
    const { db, hooks, wake } = this.options;
    return db.transaction(async (tx) => {
      const query = filtered(filter)
        .select("workspace_id", "id", "queue", "lane")
        .whereIn("state", from)
        .orderBy("id")
        .limit(MAX_CHANGED);
      if (filter.id !== undefined) query.where("id", filter.id);
      const matching = await run<JobRow>(tx, query);
      if (matching.length === 0) return 0;
      const lanes = [...new Map(matching.map((job) => [`${job.queue} ${job.lane}`, job])).values()];
      await tx.query(LOCK_LANES, [
        lanes.map((lane) => lane.queue),
        lanes.map((lane) => lane.lane),
        lanes.map((lane) => lane.workspace_id),
        LOCK_ORDER,
      ]);
      const changed: Job[] = (await update(tx, matching)).map(claimedJob);
      for (const [queue, ofQueue] of groupBy(changed, (job) => job.queue)) {
        await hooks[queue]?.[hook]?.(tx, ofQueue);
        const byLane = new Map(ofQueue.map((job) => [job.lane, job]));
        tx.afterCommit(() => wake(queue, byLane.values()));
      }
      return changed.length;
    });
  }
}

function groupBy<Key, Item>(items: Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item)) ?? [];
    group.push(item);
    groups.set(keyOf(item), group);
  }
  return groups;
}
