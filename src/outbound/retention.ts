import type { RetentionRule } from "../platform/index.ts";

const DAY_MS = 24 * 3_600_000;
/** A hold that is over means nothing to the pace; for this long it tells people why a chat waited. */
const HOLDS_MS = DAY_MS;
/** An answer to an inline query is good for half a minute; so long nobody has to hurry with it. */
const ANSWERS_MS = 5 * 60_000;
/** The pace looks at the last minute. */
const CALLS_MS = 10 * 60_000;

/**
 * The oldest first. A waiting message keeps no old attempts either: an outage makes one a second. But
 * for those of which nobody knows what they came to, while it waits or is being sent: nobody may say
 * of it that it was not sent.
 */
const DROP_ATTEMPTS = `/* outbound.drop-attempts */
WITH seen AS MATERIALIZED (
  SELECT a.workspace_id, a.id, a.message_id, a.started_at,
    a.finished_at IS NOT NULL AND a.outcome IS DISTINCT FROM 'unknown' AS known
  FROM send_attempts a
  WHERE a.started_at < now() - $3 * interval '1 ms'
    AND a.started_at > coalesce($2::timestamptz, '-infinity')
  ORDER BY a.started_at LIMIT $1
), dropped AS (
  DELETE FROM send_attempts a USING seen s
  WHERE a.workspace_id = s.workspace_id AND a.id = s.id
    AND (s.known OR NOT EXISTS (
      SELECT FROM outbound_messages m
      WHERE m.workspace_id = s.workspace_id AND m.id = s.message_id
        AND m.state IN ('queued', 'sending') OFFSET 0))
  RETURNING 1
)
SELECT (SELECT count(*)::int FROM dropped) AS rows,
  (SELECT max(started_at)::text FROM seen HAVING count(*) = $1) AS place`;

/** SKIP LOCKED: one that Telegram renews at this moment stays. */
const DROP_HOLDS = `/* outbound.drop-holds */
WITH over AS MATERIALIZED (
  SELECT h.workspace_id, h.connector_id, h.chat_id FROM send_holds h
  WHERE h.until < now() - $3 * interval '1 ms' AND ($2::text IS NULL OR $2 = 'more')
  ORDER BY h.until LIMIT $1 FOR UPDATE SKIP LOCKED
), dropped AS (
  DELETE FROM send_holds h USING over o
  WHERE h.workspace_id = o.workspace_id AND h.connector_id = o.connector_id
    AND h.chat_id = o.chat_id
  RETURNING 1
)
SELECT count(*)::int AS rows, CASE WHEN count(*) = $1 THEN 'more' END AS place FROM dropped`;

const DROP_CALLS = `/* outbound.drop-calls */
WITH old AS MATERIALIZED (
  SELECT d.workspace_id, d.id FROM direct_calls d
  WHERE d.left_at < now() - $3 * interval '1 ms' AND ($2::text IS NULL OR $2 = 'more')
  ORDER BY d.left_at LIMIT $1
), dropped AS (
  DELETE FROM direct_calls d USING old o
  WHERE d.workspace_id = o.workspace_id AND d.id = o.id
  RETURNING 1
)
SELECT count(*)::int AS rows, CASE WHEN count(*) = $1 THEN 'more' END AS place FROM dropped`;

/** With what was found, where it was never sent: what still waits is over before it is so old. */
const DROP_ANSWERS = `/* outbound.drop-answers */
WITH old AS MATERIALIZED (
  SELECT m.workspace_id, m.id FROM outbound_messages m
  WHERE m.kind = 'inline-answer' AND m.created_at < now() - $3 * interval '1 ms'
    AND m.state <> 'sending' AND ($2::text IS NULL OR $2 = 'more')
  ORDER BY m.created_at LIMIT $1 FOR UPDATE SKIP LOCKED
), dropped AS (
  DELETE FROM outbound_messages m USING old o
  WHERE m.workspace_id = o.workspace_id AND m.id = o.id
  RETURNING 1
)
SELECT count(*)::int AS rows, CASE WHEN count(*) = $1 THEN 'more' END AS place FROM dropped`;

/** What sending lets go, for the retention service. `attemptsMs`: how long attempts are kept. */
export function outboundRetentionRules({ attemptsMs }: { attemptsMs: number }): RetentionRule[] {
  const rule = (name: string, sql: string, keepMs: number): RetentionRule => ({
    name,
    dropBatch: async (tx, limit, place) => {
      const params = [limit, place, keepMs];
      const [row] = await tx.query<{ rows: number; place: string | null }>(sql, params);
      return { rows: row?.rows ?? 0, place: row?.place ?? null };
    },
  });
  return [
    rule("send attempts", DROP_ATTEMPTS, attemptsMs),
    rule("send holds", DROP_HOLDS, HOLDS_MS),
    rule("direct calls", DROP_CALLS, CALLS_MS),
    rule("inline answers", DROP_ANSWERS, ANSWERS_MS),
  ];
}
