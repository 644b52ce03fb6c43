import { fewRows, type Queryable } from "../platform/index.ts";
import type { Lease } from "./lease.ts";
import type { Job, JobPayload, JobState, QueueName } from "./types.ts";

/** A claimed job with what only the engine looks at. */
export interface ClaimedJob extends Job {
  state: JobState;
  /** Ms until it may run; 0 or less when due. Measured by Postgres's clock. */
  dueInMs: number;
  /** Workers that died with this job in hand. */
  deaths: number;
  /** Who had it in hand last. */
  worker: string | null;
  /** The number that was drawn when it was last taken in hand. */
  begun: string | null;
}

export interface Claim {
  /** The lane's `seq` in the same snapshot as the jobs: what a release must present. */
  seq: string;
  /** Postgres's time of that snapshot: what was not due then is what `nextDueInMs` looks for. */
  claimedAt: string;
  /** The lane has no unfinished job, claimed or not, due or not. */
  isEmpty: boolean;
  jobs: ClaimedJob[];
}

const NO_LANE: Claim = { seq: "-1", claimedAt: "-infinity", isEmpty: true, jobs: [] };

export interface JobRow {
  id: string;
  workspace_id: string;
  queue: QueueName;
  lane: string;
  kind: string;
  state: JobState;
  ordering_key: string | null;
  priority: number;
  payload: JobPayload;
  body: Buffer | null;
  attempts: number;
  max_attempts: number;
  deaths: number;
  worker: string | null;
  begun: string | null;
  cause_id: string | null;
  created_at: Date;
  due_in_ms: number;
}

export function claimedJob(row: JobRow): ClaimedJob {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    queue: row.queue,
    lane: row.lane,
    kind: row.kind,
    state: row.state,
    orderingKey: row.ordering_key,
    priority: row.priority,
    payload: row.payload,
    body: row.body,
    attempts: row.attempts,
    maxAttempts: row.max_attempts,
    deaths: row.deaths,
    worker: row.worker,
    begun: row.begun,
    causeId: row.cause_id,
    createdAt: row.created_at,
    dueInMs: row.due_in_ms,
  };
}

/**
 * Came to be run at once, and was not tried yet: due whatever the clock says now. Were it to go by
 * `run_at` alone, a clock that goes back by an hour would have it, and its lane, wait for that hour.
 */
const AT_ONCE = "j.state = 'available' AND j.run_at <= j.created_at";

/** Columns of `jobs j` that make a `JobRow`, without its body. */
export const JOB_COLUMNS = `j.id, j.workspace_id, j.queue, j.lane, j.kind, j.state, j.ordering_key,
  j.priority, j.payload, j.attempts, j.max_attempts, j.deaths, j.worker, j.begun, j.cause_id,
  j.created_at,
  (extract(epoch FROM CASE WHEN ${AT_ONCE} THEN least(j.run_at, now()) ELSE j.run_at END - now())
    * 1000)::double precision AS due_in_ms`;

const LIVE = `j.state IN ('available', 'running', 'retryable')`;

/**
 * The first unfinished jobs of a lane in order, due or not: what a LATERAL join reads of the lane
 * that `of` names. `clock`: the time that says what is due.
 */
export const jobsInOrder = (of: string, limit: string, clock = "now()") => `
  SELECT ${JOB_COLUMNS.replaceAll("now()", clock)} FROM jobs j
  WHERE j.queue = ${of}.queue AND j.lane = ${of}.lane AND ${LIVE}
  ORDER BY j.id LIMIT ${limit}`;

/** OFFSET 0: looked up job by job, whatever the planner believes about the number of bodies. */
export const BODY = `LEFT JOIN LATERAL (
  SELECT b.body FROM job_bodies b
  WHERE b.workspace_id = j.workspace_id AND b.job_id = j.id OFFSET 0
) b ON true`;

/**
 * Reads plainly, never SKIP LOCKED: that would step over rows a dying holder still commits. Lane
 * and jobs come from one snapshot. The lease is not checked here; every commit does.
 */
const CLAIM_IN_ORDER = `/* jobs.claim */
WITH held AS MATERIALIZED (
  SELECT $1::text AS queue, lane, take FROM unnest($2::text[], $3::int[]) AS h(lane, take)
  ${fewRows("$2")}
)
SELECT l.lane AS of_lane, l.seq, now()::text AS claimed_at, j.*, b.body
FROM held h
JOIN lanes l ON l.queue = h.queue AND l.lane = h.lane
LEFT JOIN LATERAL (${jobsInOrder("h", "h.take")}) j ON true
${BODY}
ORDER BY l.lane, j.id`;

/** A row of a statement that claims in several lanes: one a job, and one without for an empty lane. */
export type ClaimRow = JobRow & {
  of_lane: string;
  seq: string;
  claimed_at: string;
  id: string | null;
};

/** Claims by lane. */
export function claimsByLane(rows: readonly ClaimRow[]): Map<string, Claim> {
  const claims = new Map<string, Claim>();
  for (const row of rows) {
    const claim = claims.get(row.of_lane) ?? {
      seq: row.seq,
      claimedAt: row.claimed_at,
      isEmpty: row.id === null,
      jobs: [],
    };
    claims.set(row.of_lane, claim);
    if (row.id !== null) claim.jobs.push(claimedJob(row));
  }
  return claims;
}

/** The first unfinished jobs of each lane, in order, due or not. One result a request. */
export async function claimInOrder(
  on: Queryable,
  queue: QueueName,
  requests: { lease: Lease; limit: number }[],
): Promise<Claim[]> {
  const rows = await on.query<ClaimRow>(CLAIM_IN_ORDER, [
    queue,
    requests.map((request) => request.lease.lane),
    requests.map((request) => request.limit),
  ]);
  const claims = claimsByLane(rows);
  return requests.map((request) => claims.get(request.lease.lane) ?? NO_LANE);
}

/**
 * What is marked running is looked at whatever its time says: it was begun at that time, which may be in the
 * future again since the clock went back, and nobody else would find what a dead holder left.
 */
const IS_DUE_OR_RUNS = `(j.run_at <= now() OR j.state = 'running' OR ${AT_ONCE})`;

/** Whether the lane that $1 and $2 name has no unfinished job. */
export const IS_EMPTY = `NOT EXISTS (
  SELECT FROM jobs j WHERE j.queue = l.queue AND j.lane = l.lane AND ${LIVE}
) AS is_empty`;

/** Came to be run at once, and was not tried yet. These four as the indexes are written. */
export const AT_ONCE_ROW = "j.state = 'available' AND j.run_at <= j.created_at";
/** Was enqueued for a later time, whether that has come or not. */
export const SCHEDULED_ROW =
  "j.state = 'available' AND greatest(j.run_at, j.created_at) > j.created_at";
/** Holds its key whatever the time is. */
export const IN_PLACE = `(j.state IN ('running', 'retryable') OR (${AT_ONCE_ROW}))`;
/** Waits, or waited, for a time of its own. */
export const TIMED_ROW = `(j.state = 'retryable' OR (${SCHEDULED_ROW}))`;

const CLAIM_FREE = `/* jobs.claim-free */
SELECT l.seq, now()::text AS claimed_at, ${IS_EMPTY}, j.*, b.body FROM lanes l
LEFT JOIN LATERAL (
  SELECT ${JOB_COLUMNS} FROM jobs j
  WHERE j.queue = $1 AND j.lane = $2 AND ${LIVE} AND ${IS_DUE_OR_RUNS}
    AND j.id <> ALL ($3::bigint[])
  ORDER BY j.id LIMIT $4
) j ON true
${BODY}
WHERE l.queue = $1 AND l.lane = $2`;

/** Of each priority the next, so that a million that are due already are not read. */
const NEXT_DUE = `/* jobs.next-due */
SELECT min((extract(epoch FROM n.run_at - now()) * 1000)::double precision) AS due_in_ms
FROM generate_series(0, 9) AS p(priority) CROSS JOIN LATERAL (
  SELECT j.run_at FROM jobs j
  WHERE j.queue = $1 AND j.lane = $2 AND ${TIMED_ROW}
    AND (j.priority, j.run_at) > (p.priority, least($3::timestamptz, now()))
    AND j.priority <= p.priority
  ORDER BY j.priority, j.run_at, j.id LIMIT 1
) n`;

function claimOf(
  rows: (JobRow & { seq: string; claimed_at: string; is_empty: boolean; id: string | null })[],
): Claim {
  const [first] = rows;
  if (first === undefined) return NO_LANE;
  return {
    seq: first.seq,
    claimedAt: first.claimed_at,
    isEmpty: first.is_empty,
    jobs: rows.filter((row) => row.id !== null).map(claimedJob),
  };
}

/** Due or running jobs of a lane without order, oldest first; ids in `busyIds` are left out. */
export async function claimFree(
  on: Queryable,
  lease: Lease,
  busyIds: string[],
  limit: number,
): Promise<Claim> {
  return claimOf(await on.query(CLAIM_FREE, [lease.queue, lease.lane, busyIds, limit]));
}

/**
 * Ms until the earliest job that was not due at the claim may run (0 or less: it has become due
 * since), null when there is none. Asked with the claim's own time: a job that becomes due between
 * the claim and this question must not fall between the two. Nor one that was due at the claim and, by a
 * clock that was set back since, is to come.
 */
export async function nextDueInMs(
  on: Queryable,
  lease: Lease,
  claimedAt: string,
): Promise<number | null> {
  const rows = await on.query<{ due_in_ms: number | null }>(NEXT_DUE, [
    lease.queue,
    lease.lane,
    claimedAt,
  ]);
  return rows[0]?.due_in_ms ?? null;
}
