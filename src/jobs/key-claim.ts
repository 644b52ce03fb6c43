import { fewRows, type Queryable } from "../platform/index.ts";
import {
  AT_ONCE_ROW,
  BODY,
  type ClaimedJob,
  claimedJob,
  IN_PLACE,
  IS_EMPTY,
  JOB_COLUMNS,
  type JobRow,
  SCHEDULED_ROW,
  TIMED_ROW,
} from "./claim.ts";
import type { Lease } from "./lease.ts";
import type { JobId } from "./types.ts";

/**
 * What a drain reads of a lane that is ordered per key: candidates by their urgency, and the heads of
 * keys. Everything is read from where the drain stands, never from the front: 50,000 jobs behind one
 * chat that is held, and 100,000 for tomorrow, were walked at every claim before (docs/decisions/0022).
 *
 * Ranges are compared as rows, and sorted by all that they name, so that one index alone gives their
 * order, whatever the planner believes (docs/decisions/0006).
 */

/** Jobs of one priority in the order in which they may run, and how far they have been read. */
export interface Stream {
  /** Jobs that wait, or waited, for a time of their own, by that time; the others by their ids. */
  isTimed: boolean;
  priority: number;
  /** The time of the last one read, as Postgres wrote it; "-infinity" without a time. */
  afterAt: string;
  afterId: JobId;
}

/** A job that may be the next of its key, or stand behind it. */
export interface Candidate {
  isTimed: boolean;
  priority: number;
  key: string;
  id: JobId;
  /** As in `Stream`. */
  at: string;
}

export interface Look {
  /** The lane's `seq`: what a release must present, since nothing older than this was looked at. */
  seq: string;
  /** Another one than before: jobs that had been read may stand elsewhere now. */
  changedSeq: string;
  /** Postgres's time: what was not due then is what `nextDueInMs` looks for. */
  claimedAt: string;
  isEmpty: boolean;
  /** Marked running, and by none of the drain's own attempts. */
  running: { id: JobId; key: string }[];
  /** In the order of their streams. */
  candidates: Candidate[];
}

const KEYED = "j.ordering_key IS NOT NULL";
/** More of a dead holder's would not have been in flight. */
const MAX_RUNNING = 1_000;

/** Compared by a hash, however many are passed. */
const NOT_PASSED =
  "(j.priority, j.ordering_key) NOT IN (SELECT * FROM unnest($8::smallint[], $9::text[]))";

const LOOK = `/* jobs.look */
WITH streams AS MATERIALIZED (
  SELECT $1::text AS queue, $2::text AS lane, timed, priority, after_at, after_id
  FROM unnest($3::boolean[], $4::smallint[], $5::timestamptz[], $6::bigint[])
    AS s(timed, priority, after_at, after_id) ${fewRows("$3")}
)
SELECT l.seq, l.changed_seq, now()::text AS claimed_at, ${IS_EMPTY}, c.what, c.priority, c.at::text AS at, c.id, c.key
FROM lanes l
LEFT JOIN LATERAL (
  SELECT 'running' AS what, 0 AS priority, '-infinity'::timestamptz AS at, r.id, r.key FROM (
    SELECT j.id, j.ordering_key AS key FROM jobs j
    WHERE j.queue = l.queue AND j.lane = l.lane AND j.state = 'running' AND ${KEYED}
      AND j.id <> ALL ($7::bigint[])
    ORDER BY j.id LIMIT ${MAX_RUNNING}
  ) r
  UNION ALL
  SELECT 'at once', s.priority, '-infinity', r.id, r.key
  FROM (SELECT * FROM streams WHERE NOT timed) s CROSS JOIN LATERAL (
    SELECT j.id, j.ordering_key AS key FROM jobs j
    WHERE j.queue = s.queue AND j.lane = s.lane AND ${AT_ONCE_ROW} AND ${KEYED}
      AND (j.priority, j.id) > (s.priority, s.after_id) AND j.priority <= s.priority
      AND ${NOT_PASSED}
    ORDER BY j.priority, j.id LIMIT $10
  ) r
  UNION ALL
  SELECT 'timed', s.priority, r.run_at, r.id, r.key
  FROM (SELECT * FROM streams WHERE timed) s CROSS JOIN LATERAL (
    SELECT j.run_at, j.id, j.ordering_key AS key FROM jobs j
    WHERE j.queue = s.queue AND j.lane = s.lane AND ${TIMED_ROW} AND ${KEYED}
      AND (j.priority, j.run_at, j.id) > (s.priority, s.after_at, s.after_id)
      AND (j.priority, j.run_at) <= (s.priority, now())
      AND ${NOT_PASSED}
    ORDER BY j.priority, j.run_at, j.id LIMIT $10
  ) r
) c ON true
WHERE l.queue = $1 AND l.lane = $2
ORDER BY c.what, c.priority, c.at, c.id`;

interface LookRow {
  seq: string;
  changed_seq: string;
  claimed_at: string;
  is_empty: boolean;
  /** Null where the lane has nothing of the kind. */
  what: "running" | "at once" | "timed" | null;
  priority: number;
  at: string;
  id: JobId;
  key: string;
}

/** What a look passes over: a key's candidates of a priority. */
export interface Passed {
  key: string;
  priority: number;
}

export interface LookWish {
  /** Running jobs of the drain itself. */
  ownIds: JobId[];
  /** Keys of which no candidate of a priority is wanted. */
  passed: readonly Passed[];
  /** Most candidates of a stream. */
  limit: number;
}

/** How a drain reads a lane that is ordered per key. */
export interface LaneReader {
  /** Reads on in some streams, from one snapshot. Null: there is no such lane. */
  look(streams: readonly Stream[], wish: LookWish): Promise<Look | null>;
  /** The heads of some keys, due or not; none of a key that has nothing to run. */
  readHeads(keys: readonly string[]): Promise<ClaimedJob[]>;
  /** Those of some jobs that are still marked running. */
  readRunning(ids: readonly JobId[]): Promise<ClaimedJob[]>;
}

export const createLaneReader = (on: Queryable, lease: Lease): LaneReader => ({
  look: (streams, wish) => look(on, lease, streams, wish),
  readHeads: (keys) => readHeads(on, lease, keys),
  readRunning: (ids) => readRunning(on, lease, ids),
});

async function look(
  on: Queryable,
  lease: Lease,
  streams: readonly Stream[],
  { ownIds, passed, limit }: LookWish,
): Promise<Look | null> {
  const rows = await on.query<LookRow>(LOOK, [
    lease.queue,
    lease.lane,
    streams.map((stream) => stream.isTimed),
    streams.map((stream) => stream.priority),
    streams.map((stream) => stream.afterAt),
    streams.map((stream) => stream.afterId),
    ownIds,
    passed.map(({ priority }) => priority),
    passed.map(({ key }) => key),
    limit,
  ]);
  const [first] = rows;
  if (first === undefined) return null;
  const isRunning = ({ what }: LookRow) => what === "running";
  const found = rows.filter((row) => row.what !== null);
  return {
    seq: first.seq,
    changedSeq: first.changed_seq,
    claimedAt: first.claimed_at,
    isEmpty: first.is_empty,
    running: found.filter(isRunning).map(({ id, key }) => ({ id, key })),
    candidates: found
      .filter((row) => !isRunning(row))
      .map(({ what, priority, key, id, at }) => ({
        isTimed: what === "timed",
        priority,
        key,
        id,
        at,
      })),
  };
}

const OF_LANE = "j.queue = a.queue AND j.lane = a.lane";
/** A key's range in its index: an equality would let other indexes give the order of ids, too. */
const IN_KEY = `${OF_LANE} AND j.ordering_key >= a.key AND j.ordering_key <= a.key AND ${IN_PLACE}`;
/** An equality, so that reading stops at what is not due; the order is that of no other index. */
const DUE_IN_KEY = `${OF_LANE} AND j.ordering_key = a.key AND ${SCHEDULED_ROW} AND j.run_at <= now()`;

const HEAD_COLUMNS = JOB_COLUMNS.replace(
  "j.priority,",
  "least(j.priority, best.priority) AS priority,",
);

/** One of the rows among which the head of a key is chosen. `place`: 0 passes 1. */
const oneOf = (place: number, where: string, order: string) => `(
    SELECT ${place} AS place, ${HEAD_COLUMNS}, j.run_at FROM jobs j
    WHERE ${where} ORDER BY ${order} LIMIT 1
  )`;
const HAS_NO_CRITICAL = "best.priority IS DISTINCT FROM 0";
const FIRST_CRITICAL = oneOf(
  0,
  `${IN_KEY} AND j.priority <= 0 AND best.priority = 0`,
  "j.ordering_key, j.priority, j.id",
);
const FIRST = oneOf(1, `${IN_KEY} AND best.priority > 0`, "j.ordering_key, j.id");
const FIRST_CRITICAL_DUE = oneOf(
  0,
  `${DUE_IN_KEY} AND j.priority = 0 AND ${HAS_NO_CRITICAL}`,
  "j.run_at, j.id",
);
const FIRST_DUE = oneOf(1, `${DUE_IN_KEY} AND ${HAS_NO_CRITICAL}`, "j.run_at, j.id");

/**
 * The head of a key is the oldest job that holds it, with two exceptions. A critical one passes all
 * that are not; and what was enqueued for a later time takes its place by that time, before what came
 * after it. What was begun stands before what was not. It has the priority of the most urgent that
 * stands behind it, so an urgent job speeds up what it must wait for.
 */
const HEADS = `/* jobs.heads */
WITH asked AS MATERIALIZED (
  SELECT $1::text AS queue, $2::text AS lane, key FROM unnest($3::text[]) AS a(key)
  ${fewRows("$3")}
)
SELECT j.*, b.body
FROM asked a
LEFT JOIN LATERAL (
  SELECT j.priority FROM jobs j WHERE ${IN_KEY}
  ORDER BY j.ordering_key, j.priority, j.id LIMIT 1
) best ON true
CROSS JOIN LATERAL (
  SELECT * FROM (
    ${FIRST_CRITICAL} UNION ALL ${FIRST} UNION ALL ${FIRST_CRITICAL_DUE} UNION ALL ${FIRST_DUE}
  ) of_key ORDER BY place, state = 'available', run_at, id LIMIT 1
) j
${BODY}`;

async function readHeads(
  on: Queryable,
  lease: Lease,
  keys: readonly string[],
): Promise<ClaimedJob[]> {
  if (keys.length === 0) return [];
  const rows = await on.query<JobRow>(HEADS, [lease.queue, lease.lane, keys]);
  return rows.map(claimedJob);
}

const RUNNING = `/* jobs.running */
SELECT ${JOB_COLUMNS}, b.body FROM (
  SELECT $1::text AS queue, $2::text AS lane, id FROM unnest($3::bigint[]) AS r(id)
  ${fewRows("$3")}
) r
JOIN jobs j ON j.queue = r.queue AND j.lane = r.lane AND j.id = r.id
  AND j.state = 'running' AND ${KEYED}
${BODY}`;

async function readRunning(
  on: Queryable,
  lease: Lease,
  ids: readonly JobId[],
): Promise<ClaimedJob[]> {
  if (ids.length === 0) return [];
  const rows = await on.query<JobRow>(RUNNING, [lease.queue, lease.lane, ids]);
  return rows.map(claimedJob);
}
