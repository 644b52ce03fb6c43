import type { Queryable } from "../platform/index.ts";
import { isJobId } from "./filter.ts";
import type { JobView } from "./search.ts";
import type { Standing } from "./shelf.ts";
import type { JobId, JobPayload, QueueName } from "./types.ts";

/** A job in the chain of another: what caused it, or what it caused. */
export interface TracedJob {
  id: JobId;
  queue: QueueName;
  lane: string;
  kind: string;
  state: Standing;
  createdAt: string;
  errorClass: string | null;
}

/** What stands beside a job: its settings, what caused it, what it caused. */
export interface JobTrace {
  payload: JobPayload;
  orderingKey: string | null;
  /** Workers that died with it in hand. */
  deaths: number;
  /** The jobs that led to it, nearest first. */
  causes: TracedJob[];
  /** Oldest first. */
  effects: TracedJob[];
  /** There are more effects than those. */
  moreEffects: boolean;
}

const TRACED = `id, queue, lane, kind,
  CASE WHEN state = 'available' AND run_at > now() THEN 'scheduled' ELSE state END AS state,
  created_at AS "createdAt", error_class AS "errorClass"`;
const MAX_CAUSES = 10;
const MAX_EFFECTS = 50;

const OWN = `/* jobs.trace */
SELECT payload, ordering_key AS "orderingKey", deaths
FROM jobs WHERE workspace_id = $1 AND id = $2`;

/** A chain, not a tree: a job has one cause. Bounded, should a circle ever be written. */
const CAUSES = `/* jobs.trace-causes */
WITH RECURSIVE chain AS (
  SELECT cause_id, 0 AS depth FROM jobs WHERE workspace_id = $1 AND id = $2
  UNION ALL
  SELECT j.cause_id, c.depth + 1 FROM chain c
  JOIN jobs j ON j.workspace_id = $1 AND j.id = c.cause_id
  WHERE c.depth < $3
)
SELECT ${TRACED} FROM chain c JOIN jobs j ON j.workspace_id = $1 AND j.id = c.cause_id
ORDER BY c.depth LIMIT $3`;

/** Those that are filed have an index; the little that is not is looked through (filing.ts). */
const EFFECTS = `/* jobs.trace-effects */
SELECT * FROM (
  (SELECT ${TRACED} FROM jobs
    WHERE filed AND workspace_id = $1 AND cause_id = $2 ORDER BY id LIMIT $3)
  UNION ALL
  (SELECT ${TRACED} FROM jobs
    WHERE NOT filed AND id > $2 AND (workspace_id = $1 AND cause_id = $2) IS TRUE
    ORDER BY id LIMIT $3)
) e ORDER BY id LIMIT $3`;

/** Null when the job is gone. */
export async function traceJob(
  db: Queryable,
  { workspaceId, id }: Pick<JobView, "workspaceId" | "id">,
): Promise<JobTrace | null> {
  if (!isJobId(id)) return null;
  const key = [workspaceId, id];
  const [[own], causes, effects] = await Promise.all([
    db.query<Pick<JobTrace, "payload" | "orderingKey" | "deaths">>(OWN, key),
    db.query<TracedRow>(CAUSES, [...key, MAX_CAUSES]),
    db.query<TracedRow>(EFFECTS, [...key, MAX_EFFECTS + 1]),
  ]);
  if (own === undefined) return null;
  return {
    payload: own.payload,
    orderingKey: own.orderingKey,
    deaths: own.deaths,
    causes: causes.map(asTraced),
    effects: effects.slice(0, MAX_EFFECTS).map(asTraced),
    moreEffects: effects.length > MAX_EFFECTS,
  };
}

const BODY = `/* jobs.trace-body */
SELECT body FROM job_bodies WHERE workspace_id = $1 AND job_id = $2`;

/** The bytes a job was made from, while they are kept. They are a person's words: never shown. */
export async function readJobBody(
  db: Queryable,
  { workspaceId, id }: Pick<JobView, "workspaceId" | "id">,
): Promise<Buffer | null> {
  const [row] = await db.query<{ body: Buffer }>(BODY, [workspaceId, id]);
  return row?.body ?? null;
}

type TracedRow = Omit<TracedJob, "createdAt"> & { createdAt: Date };

const asTraced = (row: TracedRow): TracedJob => ({
  ...row,
  createdAt: row.createdAt.toISOString(),
});
