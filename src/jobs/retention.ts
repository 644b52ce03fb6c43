import type { RetentionRule, Transaction } from "../platform/index.ts";
import { type SHOWN_STATES, shelfOf } from "./shelf.ts";
import { laneEnd, SUBJECT } from "./subject.ts";
import { QUEUES, type QueueName } from "./types.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** How long the ledger keeps what is over, in ms. Nothing unfinished is ever dropped for its age. */
export interface JobRetention {
  /** Completed and cancelled jobs, from their end. Default 7 days. */
  finishedMs: number;
  /** Dead letters, from their end: somebody is to look at them. Default 30 days. */
  discardedMs: number;
  /** Failed attempts of completed jobs. Default 7 days; none outlives its job. */
  attemptsMs: number;
  /** Raw updates of completed jobs. Default 3 days; none outlives its job. */
  bodiesMs: number;
  /**
   * Keys of updates: at least 48 h, or a late redelivery is taken for a new update; less than a
   * week, or Telegram's ids, which begin anew at random after a silent week, would be taken for
   * old ones (Bot API: Update, update_id). Default 72 h.
   */
  updateKeysMs: number;
}

export const DEFAULT_JOB_RETENTION: JobRetention = {
  finishedMs: 7 * DAY_MS,
  discardedMs: 30 * DAY_MS,
  attemptsMs: 7 * DAY_MS,
  bodiesMs: 3 * DAY_MS,
  updateKeysMs: 72 * HOUR_MS,
};

/** Keys of all other queues: longer than any job of theirs may wait for its time. */
const OTHER_KEYS_MS = 60 * DAY_MS;

/** Looks at every lane there is, and few are idle: not often. */
const LANES_EVERY_MS = 6 * HOUR_MS;

/** What the ledger lets go, for the retention service. */
export function jobRetentionRules(keep: JobRetention = DEFAULT_JOB_RETENTION): RetentionRule[] {
  return [
    jobsRule("completed jobs", ["completed"], keep.finishedMs),
    jobsRule("cancelled jobs", ["cancelled"], keep.finishedMs),
    jobsRule("dead letters", ["discarded"], keep.discardedMs),
    rule("attempts", DROP_ATTEMPTS, [keep.attemptsMs]),
    bodiesRule(keep.bodiesMs),
    keysRule("keys of updates", ["ingest"], keep.updateKeysMs),
    keysRule("keys of jobs", otherThan("ingest"), OTHER_KEYS_MS),
    { ...rule("idle lanes", DROP_LANES, []), everyMs: LANES_EVERY_MS },
    rule("clock of ids", DROP_CLOCK, [Math.max(keep.finishedMs, keep.discardedMs) + DAY_MS]),
  ];
}

const otherThan = (queue: QueueName) => QUEUES.filter((name) => name !== queue);

/**
 * The oldest ids of a shelf come first; the walk ends at the first batch that is all too young to
 * have ended in time. What goes, goes with its attempts and its body. SKIP LOCKED: what somebody
 * retries at this moment stays.
 */
const DROP_JOBS = `/* jobs.drop-finished */
WITH seen AS MATERIALIZED (
  SELECT j.workspace_id, j.id, j.finished_at, j.created_at FROM jobs j
  WHERE j.filed AND (j.shelf + 0) = $3 AND j.id > $2 ORDER BY (j.shelf + 0), j.id LIMIT $1
), old AS MATERIALIZED (
  SELECT j.workspace_id, j.id FROM seen s
  JOIN jobs j ON j.workspace_id = s.workspace_id AND j.id = s.id
  WHERE s.finished_at < now() - $4 * interval '1 ms' AND j.filed AND (j.shelf + 0) = $3
  FOR UPDATE OF j SKIP LOCKED
), bodies AS (
  DELETE FROM job_bodies b USING old o WHERE b.workspace_id = o.workspace_id AND b.job_id = o.id
), attempts AS (
  DELETE FROM job_attempts a USING old o WHERE a.workspace_id = o.workspace_id AND a.job_id = o.id
), dropped AS (
  DELETE FROM jobs j USING old o WHERE j.workspace_id = o.workspace_id AND j.id = o.id
  RETURNING 1
)
SELECT (SELECT count(*)::int FROM dropped) AS rows,
  (SELECT max(id) FROM seen
    HAVING count(*) = $1 AND min(created_at) < now() - $4 * interval '1 ms') AS place`;

function jobsRule(
  name: string,
  states: (typeof SHOWN_STATES)[number][],
  keepMs: number,
): RetentionRule {
  const shelves = QUEUES.flatMap((queue) => states.map((state) => shelfOf(queue, state)));
  return {
    name,
    dropBatch: async (tx, limit, place) => {
      // "shelf/id": shelf after shelf, each from its oldest job.
      const [at = 0, afterId = "0"] = place === null ? [] : parsePlace(place);
      const shelf = shelves[at];
      if (shelf === undefined) return { rows: 0, place: null };
      const [row] = await tx.query<Row>(DROP_JOBS, [limit, afterId, shelf, keepMs]);
      const next = row?.place ? `${at}/${row.place}` : `${at + 1}/0`;
      return { rows: row?.rows ?? 0, place: next === `${shelves.length}/0` ? null : next };
    },
  };
}

function parsePlace(place: string): [number, string] {
  const [at = "0", id = "0"] = place.split("/");
  return [Number(at), id];
}

interface Row {
  rows: number;
  place: string | null;
}

/** A rule of one statement: $1 the limit, $2 the place, then its own. */
function rule(name: string, sql: string, params: unknown[]): RetentionRule {
  return {
    name,
    dropBatch: async (tx: Transaction, limit, place) => {
      const [row] = await tx.query<Row>(sql, [limit, place, ...params]);
      return { rows: row?.rows ?? 0, place: row?.place ?? null };
    },
  };
}

/**
 * What belongs to jobs goes before them only where they are completed: attempts tell the story of
 * what is unfinished or dead, and a dead letter that is retried needs its body. OFFSET 0: looked up
 * job by job, whatever the planner believes.
 */
const completed = (job: string) => `NOT EXISTS (SELECT FROM jobs j
      WHERE j.workspace_id = ${job.split(".")[0]}.workspace_id AND j.id = ${job}
        AND j.state <> 'completed' OFFSET 0)`;

const DROP_ATTEMPTS = `/* jobs.drop-attempts */
WITH seen AS MATERIALIZED (
  SELECT a.workspace_id, a.job_id, a.id, a.finished_at FROM job_attempts a
  WHERE a.finished_at < now() - $3 * interval '1 ms'
    AND (a.finished_at, a.id) > (coalesce(split_part($2, '/', 1)::timestamptz, '-infinity'),
      coalesce(split_part($2, '/', 2)::bigint, 0))
  ORDER BY a.finished_at, a.id LIMIT $1
), dropped AS (
  DELETE FROM job_attempts a USING seen s
  WHERE a.workspace_id = s.workspace_id AND a.job_id = s.job_id AND a.id = s.id
    AND ${completed("a.job_id")}
  RETURNING 1
)
SELECT (SELECT count(*)::int FROM dropped) AS rows,
  (SELECT finished_at || '/' || id FROM seen WHERE (SELECT count(*) FROM seen) = $1
   ORDER BY finished_at DESC, id DESC LIMIT 1) AS place`;

/**
 * Bodies have no index by time, which every update would pay for: the clock of ids says which are
 * old enough, and they go workspace by workspace. The place is "workspace/job".
 */
const NEXT_WORKSPACE = `/* jobs.next-workspace */
SELECT workspace_id AS id FROM job_bodies
WHERE workspace_id > coalesce($1::uuid, '00000000-0000-0000-0000-000000000000')
ORDER BY workspace_id LIMIT 1`;

const DROP_BODIES = `/* jobs.drop-bodies */
WITH seen AS MATERIALIZED (
  SELECT b.workspace_id, b.job_id FROM job_bodies b
  WHERE b.workspace_id = $2 AND b.job_id > $3 AND b.job_id <= (
    SELECT last_id FROM job_clock WHERE at < now() - $4 * interval '1 ms' ORDER BY at DESC LIMIT 1)
  ORDER BY b.job_id LIMIT $1
), dropped AS (
  DELETE FROM job_bodies b USING seen s
  WHERE b.workspace_id = s.workspace_id AND b.job_id = s.job_id
    AND b.created_at < now() - $4 * interval '1 ms'
    AND ${completed("b.job_id")}
  RETURNING 1
)
SELECT (SELECT count(*)::int FROM dropped) AS rows,
  (SELECT max(job_id) FROM seen HAVING count(*) = $1) AS place`;

function bodiesRule(keepMs: number): RetentionRule {
  const nextWorkspace = async (tx: Transaction, after: string | null) =>
    (await tx.query<{ id: string }>(NEXT_WORKSPACE, [after]))[0]?.id ?? null;
  return {
    name: "raw updates",
    dropBatch: async (tx, limit, place) => {
      const [workspaceId, afterId] = place?.split("/") ?? [await nextWorkspace(tx, null), "0"];
      if (workspaceId === null || workspaceId === undefined) return { rows: 0, place: null };
      const [row] = await tx.query<Row>(DROP_BODIES, [limit, workspaceId, afterId ?? "0", keepMs]);
      if (row?.place) return { rows: row.rows, place: `${workspaceId}/${row.place}` };
      const next = await nextWorkspace(tx, workspaceId);
      return { rows: row?.rows ?? 0, place: next === null ? null : `${next}/0` };
    },
  };
}

/** Keys are written in the order of time, and go in it; all that are seen go. */
const DROP_KEYS = `/* jobs.drop-keys */
WITH seen AS MATERIALIZED (
  SELECT k.queue, k.key FROM job_keys k
  WHERE k.created_at < now() - $4 * interval '1 ms' AND k.queue = ANY ($3::text[])
    AND ($2::text IS NULL OR $2 = 'more')
  ORDER BY k.created_at LIMIT $1
), dropped AS (
  DELETE FROM job_keys k USING seen s WHERE k.queue = s.queue AND k.key = s.key RETURNING 1
)
SELECT count(*)::int AS rows, CASE WHEN count(*) = $1 THEN 'more' END AS place FROM dropped`;

function keysRule(name: string, queues: QueueName[], keepMs: number): RetentionRule {
  return rule(name, DROP_KEYS, [queues, keepMs]);
}

/**
 * Lanes that nobody holds, that have nothing to do and no job at all, finished or not: idle for as
 * long as jobs are kept. An insert that waits for the row makes it anew (its ON CONFLICT finds
 * nothing); one that was faster has raised `seq` and set `due_at`, and the row stays. Epochs come
 * from a sequence, so a holder of the former row is no holder of the new one.
 */
const DROP_LANES = `/* jobs.drop-lanes */
WITH seen AS MATERIALIZED (
  SELECT l.queue, l.lane FROM lanes l
  WHERE (l.queue, l.lane) > (split_part(coalesce($2, ''), ' ', 1),
    substr(coalesce($2, ''), strpos(coalesce($2, ''), ' ') + 1))
  ORDER BY l.queue, l.lane LIMIT $1
), unfiled AS MATERIALIZED (
  SELECT queue, lane FROM jobs WHERE NOT filed ORDER BY id
), idle AS MATERIALIZED (
  SELECT l.queue, l.lane FROM seen s JOIN lanes l ON l.queue = s.queue AND l.lane = s.lane
  WHERE l.due_at IS NULL AND l.owner IS NULL
    AND NOT EXISTS (
      SELECT FROM jobs j WHERE j.filed AND ${SUBJECT} = ${laneEnd("l.lane")} AND j.lane = l.lane
        AND j.queue = l.queue OFFSET 0)
    AND NOT EXISTS (
      SELECT FROM jobs j WHERE j.filed AND "left"(j.lane, 36) COLLATE "C" = l.lane COLLATE "C"
        AND j.lane = l.lane AND j.queue = l.queue OFFSET 0)
    AND (l.queue, l.lane) NOT IN (SELECT queue, lane FROM unfiled)
  FOR UPDATE OF l SKIP LOCKED
), dropped AS (
  DELETE FROM lanes l USING idle i
  WHERE l.queue = i.queue AND l.lane = i.lane AND l.due_at IS NULL AND l.owner IS NULL
  RETURNING 1
)
SELECT (SELECT count(*)::int FROM dropped) AS rows,
  (SELECT queue || ' ' || lane FROM seen
    WHERE (SELECT count(*) FROM seen) = $1 ORDER BY queue DESC, lane DESC LIMIT 1) AS place`;

const DROP_CLOCK = `/* jobs.drop-clock */
WITH dropped AS (
  DELETE FROM job_clock WHERE at < now() - $3 * interval '1 ms' AND $2::text IS NULL AND $1 > 0
  RETURNING 1
)
SELECT count(*)::int AS rows, NULL AS place FROM dropped`;
