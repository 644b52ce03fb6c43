import { fewRows, groupBy, type Queryable } from "../platform/index.ts";
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
import type { JobId, QueueName } from "./types.ts";

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

/** A stream, from the last job on that was walked. */
export interface Walked extends Stream {
  /** It was not walked to its end. */
  hasMore: boolean;
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
  /** How far streams were walked, past what is passed, where that is known. */
  walked: Walked[];
}

const KEYED = "j.ordering_key IS NOT NULL";
/** More of a dead holder's would not have been in flight. */
const MAX_RUNNING = 1_000;

/** Compared by a hash, however many are passed. */
const NOT_PASSED = `(j.lane, j.priority, j.ordering_key) NOT IN (
        SELECT * FROM unnest($9::text[], $10::smallint[], $11::text[]))`;

/**
 * Of a stream a look walks no further, whatever it finds: 200,000 that are passed took 200 ms, for which
 * the lanes that are looked at with it waited. Timed ones are read from their beginning each second, and
 * so in one go. (A planner that knew how many it are would rather sort all of them.)
 */
const MOST_WALKED = 2_000;
/** So few keys of a priority are compared one by one, which is faster than by a hash. */
const FEW_PASSED = 8;

/** Jobs that came to be run at once, of the streams that have none of their own time. */
const AT_ONCE_OF_STREAM = `FROM jobs j
        WHERE j.queue = s.queue AND j.lane = s.lane AND ${AT_ONCE_ROW} AND ${KEYED}
          AND (j.priority, j.id) > (s.priority, s.after_id) AND j.priority <= s.priority`;

/** Of a bounded look: the last one that was walked says whether there is more. */
const boundedWalk = (limit: number) => `(
    SELECT * FROM (
      SELECT j.priority, j.id, j.ordering_key AS key, ${NOT_PASSED} AS is_wanted,
        CASE WHEN lead(j.id) OVER in_order IS NULL
          THEN row_number() OVER in_order >= ${MOST_WALKED} END AS has_more
      FROM (
        SELECT j.lane, j.priority, j.id, j.ordering_key ${AT_ONCE_OF_STREAM}
        ORDER BY j.priority, j.id LIMIT (SELECT ${MOST_WALKED})
      ) j
      WINDOW in_order AS (ORDER BY j.priority, j.id)
    ) walked
    WHERE is_wanted OR has_more IS NOT NULL ORDER BY priority, id LIMIT ${limit}
  )`;

/**
 * Of one that walks to the end, or until it has found enough: the stream's last, which was walked if fewer
 * than enough were found. Numbering what is passed would take as long again as passing it.
 */
const unboundedWalk = (limit: number) => `(
    (
      SELECT j.priority, j.id, j.ordering_key AS key, true AS is_wanted, NULL::boolean AS has_more
      ${AT_ONCE_OF_STREAM}
        AND CASE WHEN cardinality(s.passed) <= ${FEW_PASSED} THEN j.ordering_key <> ALL (s.passed)
          ELSE ${NOT_PASSED} END
      ORDER BY j.priority, j.id LIMIT ${limit}
    )
    UNION ALL
    (
      SELECT j.priority, j.id, j.ordering_key, false, false ${AT_ONCE_OF_STREAM}
      ORDER BY j.priority DESC, j.id DESC LIMIT 1
    )
  )`;

/** Of a stream, for `unboundedWalk`: the first keys that it passes, one more than few. */
const PASSED_OF_STREAM = `ARRAY(
    SELECT p.key FROM unnest($9::text[], $10::smallint[], $11::text[]) AS p(lane, priority, key)
    WHERE p.lane = s.lane AND p.priority = s.priority LIMIT ${FEW_PASSED + 1}
  ) AS passed`;

/**
 * A row for each lane that there is, and one for each thing that was found in it. The limit is a part of the
 * text: as a parameter it is taken for a tenth of what waits, and the statement, which takes five times as
 * long to plan as to run, would be planned for each look at a lane with much (docs/decisions/0046).
 */
const lookOf = (limit: number, { unbounded }: { unbounded: boolean }) => `/* jobs.look */
WITH asked AS MATERIALIZED (
  SELECT $1::text AS queue, lane FROM unnest($2::text[]) AS a(lane) ${fewRows("$2")}
), streams AS MATERIALIZED (
  SELECT $1::text AS queue, lane, timed, priority, after_at, after_id${unbounded ? `, ${PASSED_OF_STREAM}` : ""}
  FROM unnest($3::text[], $4::boolean[], $5::smallint[], $6::timestamptz[], $7::bigint[])
    AS s(lane, timed, priority, after_at, after_id) ${fewRows("$3")}
)
SELECT c.what, c.lane, c.priority, c.at::text AS at, c.id, c.key, c.is_wanted, c.has_more, c.seq,
  c.changed_seq, now()::text AS claimed_at, c.is_empty
FROM (
  SELECT 'lane' AS what, l.lane, 0 AS priority, '-infinity'::timestamptz AS at, 0::bigint AS id,
    '' AS key, true AS is_wanted, NULL::boolean AS has_more, l.seq, l.changed_seq, ${IS_EMPTY}
  FROM asked a JOIN lanes l ON l.queue = a.queue AND l.lane = a.lane
  UNION ALL
  SELECT 'running', a.lane, 0, '-infinity', r.id, r.key, true, NULL, NULL, NULL, NULL
  FROM asked a CROSS JOIN LATERAL (
    SELECT j.id, j.ordering_key AS key FROM jobs j
    WHERE j.queue = a.queue AND j.lane = a.lane AND j.state = 'running' AND ${KEYED}
      AND j.id NOT IN (SELECT unnest($8::bigint[]))
    ORDER BY j.id LIMIT ${MAX_RUNNING}
  ) r
  UNION ALL
  SELECT 'at once', s.lane, s.priority, '-infinity', r.id, r.key, r.is_wanted, r.has_more,
    NULL, NULL, NULL
  FROM (SELECT * FROM streams WHERE NOT timed) s CROSS JOIN LATERAL
    ${unbounded ? unboundedWalk(limit) : boundedWalk(limit)} r
  UNION ALL
  SELECT 'timed', s.lane, s.priority, r.run_at, r.id, r.key, true, NULL, NULL, NULL, NULL
  FROM (SELECT * FROM streams WHERE timed) s CROSS JOIN LATERAL (
    SELECT j.run_at, j.id, j.ordering_key AS key FROM jobs j
    WHERE j.queue = s.queue AND j.lane = s.lane AND ${TIMED_ROW} AND ${KEYED}
      AND (j.priority, j.run_at, j.id) > (s.priority, s.after_at, s.after_id)
      AND (j.priority, j.run_at) <= (s.priority, now())
      AND ${NOT_PASSED}
    ORDER BY j.priority, j.run_at, j.id LIMIT ${limit}
  ) r
) c
ORDER BY c.what, c.priority, c.at, c.id`;

const statements = new Map<string, string>();

/** The statement of a look at pages of `limit` candidates. */
function lookStatement(limit: number, { unbounded }: { unbounded: boolean }): string {
  const name = `${limit} ${unbounded}`;
  const known = statements.get(name);
  if (known !== undefined) return known;
  const statement = lookOf(limit, { unbounded });
  statements.set(name, statement);
  return statement;
}

interface LaneRow {
  what: "lane";
  lane: string;
  seq: string;
  changed_seq: string;
  claimed_at: string;
  is_empty: boolean;
}

interface FoundRow {
  what: "running" | "at once" | "timed";
  lane: string;
  priority: number;
  at: string;
  id: JobId;
  key: string;
  is_wanted: boolean;
  /** Of the last one that was walked. */
  has_more: boolean | null;
}

/** What a look passes over: a key's candidates of a priority. */
export interface Passed {
  key: string;
  priority: number;
}

/** What a drain wants to see of its lane. */
export interface LookWish {
  lane: string;
  streams: readonly Stream[];
  /** Running jobs of the drain itself. */
  ownIds: readonly JobId[];
  /** Keys of which no candidate of a priority is wanted. */
  passed: readonly Passed[];
  /** Walks on whatever it passes, as long as that takes. */
  unbounded?: boolean;
}

/**
 * Reads on in some streams of lanes, each lane named once, all from one snapshot. `limit`: most
 * candidates of a stream. Unbounded if one of them is. Null: there is no such lane.
 */
export async function lookAtLanes(
  on: Queryable,
  queue: QueueName,
  { wishes, limit }: { wishes: readonly LookWish[]; limit: number },
): Promise<Array<Look | null>> {
  const streams = wishes.flatMap((wish) =>
    wish.streams.map((one) => ({ ...one, lane: wish.lane })),
  );
  const passed = wishes.flatMap((wish) => wish.passed.map((one) => ({ ...one, lane: wish.lane })));
  const unbounded = wishes.some((wish) => wish.unbounded);
  const rows = await on.query<LaneRow | FoundRow>(lookStatement(limit, { unbounded }), [
    queue,
    wishes.map(({ lane }) => lane),
    streams.map(({ lane }) => lane),
    streams.map(({ isTimed }) => isTimed),
    streams.map(({ priority }) => priority),
    streams.map(({ afterAt }) => afterAt),
    streams.map(({ afterId }) => afterId),
    wishes.flatMap(({ ownIds }) => ownIds),
    passed.map(({ lane }) => lane),
    passed.map(({ priority }) => priority),
    passed.map(({ key }) => key),
  ]);
  const looks = new Map<string, Look>();
  for (const row of rows) {
    if (row.what !== "lane") continue;
    const { lane, seq, changed_seq: changedSeq, claimed_at: claimedAt, is_empty: isEmpty } = row;
    const found = { running: [], candidates: [], walked: [] };
    looks.set(lane, { seq, changedSeq, claimedAt, isEmpty, ...found });
  }
  for (const row of rows) {
    if (row.what === "lane") continue;
    const { what, lane, priority, key, id, at } = row;
    const isTimed = what === "timed";
    const look = looks.get(lane);
    if (what === "running") look?.running.push({ id, key });
    else if (row.is_wanted) look?.candidates.push({ isTimed, priority, key, id, at });
    const { has_more: hasMore } = row;
    if (hasMore === null) continue;
    look?.walked.push({ isTimed, priority, afterAt: at, afterId: id, hasMore });
  }
  if (unbounded) for (const look of looks.values()) look.walked = endsReached(look, limit);
  return wishes.map(({ lane }) => looks.get(lane) ?? null);
}

/** Where as many candidates as may be were found, the stream was walked to the last of them. */
function endsReached({ candidates, walked }: Look, limit: number): Walked[] {
  return walked.filter(({ isTimed, priority }) => {
    const own = candidates.filter((one) => one.isTimed === isTimed && one.priority === priority);
    return own.length < limit;
  });
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
  SELECT $1::text AS queue, lane, key FROM unnest($2::text[], $3::text[]) AS a(lane, key)
  ${fewRows("$2")}
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

/** Of a lane, keys whose heads are wanted. */
export interface HeadsWish {
  lane: string;
  keys: readonly string[];
}

/** The heads of some keys of lanes, due or not; none of a key that has nothing to run. */
export async function headsOfLanes(
  on: Queryable,
  queue: QueueName,
  wishes: readonly HeadsWish[],
): Promise<ClaimedJob[][]> {
  const asked = wishes.flatMap(({ lane, keys }) => keys.map((key) => ({ lane, key })));
  if (asked.length === 0) return wishes.map(() => []);
  const lanes = asked.map(({ lane }) => lane);
  const rows = await on.query<JobRow>(HEADS, [queue, lanes, asked.map(({ key }) => key)]);
  const heads = groupBy(rows, ({ lane }) => lane);
  return wishes.map(({ lane }) => (heads.get(lane) ?? []).map(claimedJob));
}

const RUNNING = `/* jobs.running */
SELECT ${JOB_COLUMNS}, b.body FROM (
  SELECT $1::text AS queue, $2::text AS lane, id FROM unnest($3::bigint[]) AS r(id)
  ${fewRows("$3")}
) r
JOIN jobs j ON j.queue = r.queue AND j.lane = r.lane AND j.id = r.id
  AND j.state = 'running' AND ${KEYED}
${BODY}`;

/** Those of some jobs of a lane that are still marked running. */
export async function runningOfLane(
  on: Queryable,
  { queue, lane }: { queue: QueueName; lane: string },
  ids: readonly JobId[],
): Promise<ClaimedJob[]> {
  if (ids.length === 0) return [];
  const rows = await on.query<JobRow>(RUNNING, [queue, lane, ids]);
  return rows.map(claimedJob);
}
