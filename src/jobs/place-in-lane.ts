import type { Queryable } from "../platform/index.ts";
import { AT_ONCE_ROW, IN_PLACE, SCHEDULED_ROW, TIMED_ROW } from "./claim.ts";
import type { JobPayload, JobState, QueueName } from "./types.ts";

/** Where an unfinished job stands in its lane, of a queue ordered per key. */
export interface PlaceInLane {
  /** An operator has stopped the queue. */
  isPaused: boolean;
  /** Unfinished jobs of its key, as far as was looked. */
  inKey: number;
  /** Null: it is not among those. */
  job: {
    state: JobState;
    runAt: Date;
    /** It was enqueued for a later time, which has not come. */
    isScheduled: boolean;
    /** Those of its key that go before it, and the payload of the first of them. */
    beforeInKey: number;
    firstInKey: JobPayload | null;
    /** Those of other keys that are due and more urgent, or as urgent and older. */
    beforeInLane: number;
  } | null;
}

/** As a claim has it (claim.ts): whatever the clock says, what came to be run at once is due. */
const IS_DUE = `(j.run_at <= now() OR (${AT_ONCE_ROW}))`;
const KEYED = "j.queue = $1 AND j.lane = $2 AND j.ordering_key IS NOT NULL";
const CHAIN_COLUMNS = `j.id, j.state, j.priority, j.run_at, j.payload,
    j.state = 'available' AND NOT ${IS_DUE} AS is_scheduled`;
/** Jobs in front that are looked at: those of keys that are passed are not counted. */
const MOST_LOOKED_AT = 100_000;

/**
 * By the indexes of the claim (key-claim.ts): a key's own, and what stands in front, by urgency; not
 * by all that waits in the lane.
 */
const PLACE = `/* jobs.place-in-lane */
WITH chain AS MATERIALIZED (
  (SELECT ${CHAIN_COLUMNS} FROM jobs j
    WHERE j.queue = $1 AND j.lane = $2 AND j.ordering_key >= $3 AND j.ordering_key <= $3
      AND ${IN_PLACE}
    ORDER BY j.ordering_key, j.id LIMIT $5)
  UNION ALL
  (SELECT ${CHAIN_COLUMNS} FROM jobs j
    WHERE j.queue = $1 AND j.lane = $2 AND j.ordering_key = $3 AND ${SCHEDULED_ROW}
    ORDER BY j.run_at, j.id LIMIT $5)
), own AS MATERIALIZED (
  SELECT * FROM chain WHERE payload @> $4::jsonb ORDER BY id LIMIT 1
), before AS (
  SELECT c.id, c.payload, c.state, c.priority FROM chain c, own o
  WHERE c.id <> o.id AND NOT c.is_scheduled
    AND CASE WHEN (c.priority = 0) = (o.priority = 0) THEN c.id < o.id
      ELSE c.priority = 0 OR c.state = 'running' END
), in_front AS (
  SELECT f.ordering_key FROM own o CROSS JOIN LATERAL (
    SELECT j.ordering_key FROM jobs j
    WHERE ${KEYED} AND ${AT_ONCE_ROW} AND (j.priority, j.id) < (o.priority, o.id)
    ORDER BY j.priority, j.id LIMIT ${MOST_LOOKED_AT}
  ) f
  UNION ALL
  SELECT f.ordering_key FROM own o CROSS JOIN generate_series(0, 9) AS p(priority)
  CROSS JOIN LATERAL (
    SELECT j.id, j.priority, j.ordering_key FROM jobs j
    WHERE ${KEYED} AND ${TIMED_ROW} AND (j.priority, j.run_at) >= (p.priority, '-infinity')
      AND (j.priority, j.run_at) <= (p.priority, now())
    ORDER BY j.priority, j.run_at, j.id LIMIT $5
  ) f
  WHERE p.priority <= o.priority AND (f.priority, f.id) < (o.priority, o.id)
  UNION ALL
  SELECT j.ordering_key FROM own o JOIN jobs j ON ${KEYED} AND j.state = 'running'
    AND (j.priority, j.id) < (o.priority, o.id)
)
SELECT EXISTS (SELECT FROM paused_queues p WHERE p.queue = $1) AS "isPaused",
  (SELECT count(*)::int FROM chain) AS "inKey",
  o.state, o.run_at AS "runAt", o.is_scheduled AS "isScheduled",
  (SELECT count(*)::int FROM before) AS "beforeInKey",
  (SELECT payload FROM before ORDER BY state <> 'running', priority <> 0, id LIMIT 1)
    AS "firstInKey",
  (SELECT count(*)::int FROM (
    SELECT FROM in_front f
    WHERE f.ordering_key <> $3 AND f.ordering_key <> ALL ($6::text[]) LIMIT $5
  ) others) AS "beforeInLane"
FROM (SELECT 1) one LEFT JOIN own o ON true`;

type Row = Pick<PlaceInLane, "isPaused" | "inKey"> & {
  [Name in keyof NonNullable<PlaceInLane["job"]>]: NonNullable<PlaceInLane["job"]>[Name] | null;
};

/**
 * Where the job with such a payload stands. `passedKeys`: keys that wait for something of their own,
 * so that others pass them. Counts, and looks for the job, as far as `most`.
 */
export async function placeInLane(
  on: Queryable,
  which: {
    queue: QueueName;
    lane: string;
    orderingKey: string;
    payload: JobPayload;
    passedKeys: string[];
    most: number;
  },
): Promise<PlaceInLane> {
  const { queue, lane, orderingKey, payload, passedKeys, most } = which;
  const [row] = await on.query<Row>(PLACE, [
    queue,
    lane,
    orderingKey,
    JSON.stringify(payload),
    most,
    passedKeys,
  ]);
  if (row === undefined) throw new Error("a query of one row gave none");
  const { isPaused, inKey, state, runAt, isScheduled, ...counts } = row;
  if (state === null || runAt === null) return { isPaused, inKey, job: null };
  const { beforeInKey, firstInKey, beforeInLane } = counts;
  const job = {
    state,
    runAt,
    isScheduled: isScheduled === true,
    beforeInKey: beforeInKey ?? 0,
    firstInKey,
    beforeInLane: beforeInLane ?? 0,
  };
  return { isPaused, inKey, job };
}
