import {
  createTurns,
  type Database,
  fewRows,
  isUnavailable,
  type Logger,
  type Transaction,
} from "../platform/index.ts";
import { onClock, type SessionEnd, timeoutOf } from "./session-rule.ts";

/**
 * Ends sessions that are over though nobody writes any more. A session carries the time at which it is
 * looked at next, `check_at`: what it would end at when that was written. Messages don't move it, so
 * they stay cheap; the look finds the newest message, and either ends the session, as of the moment it
 * was over, or comes back when it may be. So a session costs a look every `session_hours`, not one a
 * message. A connector whose setting was changed has all of its open sessions looked at.
 */
export interface SessionCloser {
  start(): void;
  /** Ends after the batch under way. */
  stop(): Promise<void>;
  /** One run: how many sessions were ended. Throws the database's errors. */
  runOnce(): Promise<number>;
}

export interface SessionCloserOptions {
  db: Database;
  log: Logger;
  /** Default 20 000. */
  everyMs?: number;
  /** Sessions a transaction. Default 500. */
  batch?: number;
}

/** Of one run; the rest waits for the next. */
const MAX_BATCHES = 200;

/**
 * The session may be another by the time its conversation is held; then nothing is written (END, LATER).
 * What is looked at is the session of a conversation that nobody writes to at the moment: ingest holds
 * the conversation's row when it moves a session, and it is in nobody's way for long.
 */
const look = (which: string) => `
WITH due AS MATERIALIZED (${which})
SELECT s.workspace_id, s.id, s.conversation_id, k.session_hours AS hours,
  (extract(epoch FROM c.session_last_at) * 1000)::float8 AS last_at_ms,
  (extract(epoch FROM now()) * 1000)::float8 AS now_ms
FROM due s
JOIN conversations c ON c.workspace_id = s.workspace_id AND c.id = s.conversation_id
JOIN connectors k ON k.workspace_id = s.workspace_id AND k.id = s.connector_id
FOR NO KEY UPDATE OF c SKIP LOCKED`;

const DUE = `/* sessions.due */ ${look(`
  SELECT workspace_id, id, conversation_id, connector_id FROM sessions
  WHERE ended_at IS NULL AND check_at <= now() ORDER BY check_at LIMIT $1`)}`;

/** Two ranges of an index a connector, and nothing in them as a rule. */
const OTHER_HOURS = `/* sessions.other-hours */ ${look(`
  SELECT s.workspace_id, s.id, s.conversation_id, s.connector_id
  FROM connectors k CROSS JOIN LATERAL (
    (SELECT * FROM sessions o WHERE o.connector_id = k.id AND o.hours < k.session_hours
       AND o.ended_at IS NULL LIMIT $1)
    UNION ALL
    (SELECT * FROM sessions o WHERE o.connector_id = k.id AND o.hours > k.session_hours
       AND o.ended_at IS NULL LIMIT $1)
  ) s
  LIMIT $1`)}`;

interface LookedAt {
  workspace_id: string;
  id: string;
  conversation_id: string;
  hours: number;
  last_at_ms: number | null;
  now_ms: number;
}

const END = `/* sessions.close */
WITH t AS MATERIALIZED (
  SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::timestamptz[],
    $5::timestamptz[], $6::text[], $7::int[])
    AS t(workspace_id, id, conversation_id, last_at, ended_at, reason, hours) ${fewRows("$1")}
), closed AS (
  UPDATE sessions s SET last_at = t.last_at, ended_at = t.ended_at, end_reason = t.reason,
    hours = t.hours
  FROM t WHERE s.workspace_id = t.workspace_id AND s.id = t.id AND s.ended_at IS NULL
  RETURNING t.workspace_id, t.conversation_id, t.ended_at
)
UPDATE conversations c SET session_ended_at = d.ended_at FROM closed d
WHERE c.workspace_id = d.workspace_id AND c.id = d.conversation_id`;

const LATER = `/* sessions.look-later */
UPDATE sessions s SET check_at = t.check_at, hours = t.hours
FROM (
  SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::int[])
    AS t(workspace_id, id, check_at, hours) ${fewRows("$1")}
) t
WHERE s.workspace_id = t.workspace_id AND s.id = t.id AND s.ended_at IS NULL`;

interface Batch {
  looked: number;
  ended: number;
}

async function lookAt(tx: Transaction, sql: string, limit: number): Promise<Batch> {
  const rows = await tx.query<LookedAt>(sql, [limit]);
  const ended: Array<LookedAt & { end: SessionEnd }> = [];
  const later: Array<LookedAt & { checkAtMs: number | null }> = [];
  for (const row of rows) {
    const { last_at_ms: lastAtMs, now_ms: nowMs, hours } = row;
    if (lastAtMs === null) continue;
    const end = onClock({ lastAtMs, endedAtMs: null }, nowMs, hours);
    if (end !== null) ended.push({ ...row, end });
    else later.push({ ...row, checkAtMs: timeoutOf(lastAtMs, hours) });
  }
  if (ended.length > 0) {
    await tx.query(END, [
      ended.map((row) => row.workspace_id),
      ended.map(({ id }) => id),
      ended.map((row) => row.conversation_id),
      ended.map(({ end }) => new Date(end.lastAtMs).toISOString()),
      ended.map(({ end }) => new Date(end.endedAtMs).toISOString()),
      ended.map(({ end }) => end.reason),
      ended.map(({ hours }) => hours),
    ]);
  }
  if (later.length > 0) {
    await tx.query(LATER, [
      later.map((row) => row.workspace_id),
      later.map(({ id }) => id),
      later.map(({ checkAtMs }) => (checkAtMs === null ? null : new Date(checkAtMs).toISOString())),
      later.map(({ hours }) => hours),
    ]);
  }
  return { looked: ended.length + later.length, ended: ended.length };
}

export function createSessionCloser(options: SessionCloserOptions): SessionCloser {
  const { db, log, everyMs = 20_000, batch = 500 } = options;
  async function runOnce(): Promise<number> {
    let total = 0;
    for (const sql of [OTHER_HOURS, DUE]) {
      for (let n = 0; n < MAX_BATCHES && !turns.isStopping; n++) {
        const { looked, ended } = await db.transaction((tx) => lookAt(tx, sql, batch));
        total += ended;
        // Not "fewer than a batch": those that are being written to were passed over.
        if (looked === 0) break;
      }
    }
    return total;
  }

  const turns = createTurns({
    db,
    name: "sessions",
    everyMs,
    work: async () => {
      const ended = await runOnce();
      if (ended > 0) log.debug({ ended }, "sessions ended");
    },
    // They end as of the same moment when the next run finds them, or the next message.
    failed: (error) => {
      const message = isUnavailable(error) ? "sessions: database away" : "sessions not ended";
      log.warn({ err: error }, message);
    },
  });
  return {
    runOnce,
    start: turns.start,
    stop: turns.stop,
  };
}
