import type { Queryable } from "../platform/index.ts";
import type { QueueName } from "./types.ts";

/**
 * Postgres's clock may go back: a correction, or another machine after a failover. Lanes that were
 * due by the clock as it was would wait until it is there again, an hour perhaps. So each sweep
 * remembers the latest time it has seen, and when the clock is behind that, lanes that were due by
 * then are due now. One that had nothing to do yet is handed back with its job's own time.
 */
const LOOK = `/* jobs.clock */
SELECT greatest($1::timestamptz, clock_timestamp())::text AS latest, clock_timestamp()::text AS now,
  coalesce($1::timestamptz > clock_timestamp() + interval '1 s', false) AS "wentBack"`;

/** So many a sweep; the rest follows with the next. */
const BATCH_LANES = 1_000;

/** What became due between the last look and the jump is not far behind it. */
const MAKE_DUE = `/* jobs.clock-back */
WITH former AS MATERIALIZED (
  SELECT queue, lane FROM lanes
  WHERE queue = $1 AND due_at > now() AND due_at <= $2::timestamptz + interval '5 s'
  LIMIT ${BATCH_LANES} FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE lanes l SET due_at = now() FROM former f
WHERE l.queue = f.queue AND l.lane = f.lane
RETURNING l.lane`;

/**
 * Takes the latest time that was seen before, as text, or null at first; answers what to give the
 * next time.
 */
export async function followClock(
  on: Queryable,
  queue: QueueName,
  latest: string | null,
): Promise<string | null> {
  const [clock] = await on.query<{ latest: string; now: string; wentBack: boolean }>(LOOK, [
    latest,
  ]);
  if (clock === undefined || !clock.wentBack) return clock?.latest ?? null;
  const lanes = await on.query(MAKE_DUE, [queue, clock.latest]);
  return lanes.length < BATCH_LANES ? clock.now : clock.latest;
}
