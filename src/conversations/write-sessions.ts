import { fewRows, type Transaction } from "../platform/index.ts";
import { type SessionEnd, type SessionMove, timeoutOf } from "./session-rule.ts";

/**
 * Sessions, written after their conversations, whose rows carry the newest session's last message at
 * no cost. A statement only where one begins, ends or goes on after all: most batches have none.
 */

/** A conversation as it was just written. */
export interface SessionWrite {
  workspaceId: string;
  connectorId: string;
  conversationId: string;
  /** The newest session's end as it stands on the conversation. */
  endedAtMs: number | null;
  move: SessionMove;
}

/** The conversation's newest session so far: what the batch has gone on from. */
const NEWEST = `(
  SELECT o.id FROM sessions o
  WHERE o.workspace_id = t.workspace_id AND o.conversation_id = t.conversation_id
  ORDER BY o.id DESC LIMIT 1
)`;

const RESUME = `/* sessions.resume */
UPDATE sessions s SET last_at = NULL, ended_at = NULL, end_reason = NULL, hours = n.hours,
  check_at = n.check_at
FROM (
  SELECT t.*, ${NEWEST} AS id
  FROM (
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::int[], $4::timestamptz[])
      AS t(workspace_id, conversation_id, hours, check_at) ${fewRows("$1")}
  ) t
) n
WHERE s.workspace_id = n.workspace_id AND s.id = n.id`;

/** Also one that the clock has ended: it may have gone on since, and ended later. */
const END = `/* sessions.end */
UPDATE sessions s SET last_at = n.last_at, ended_at = n.ended_at, end_reason = n.reason
FROM (
  SELECT t.*, ${NEWEST} AS id
  FROM (
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::text[])
      AS t(workspace_id, conversation_id, last_at, ended_at, reason) ${fewRows("$1")}
  ) t
) n
WHERE s.workspace_id = n.workspace_id AND s.id = n.id`;

/** In their order, so that ids follow it. */
const BEGIN = `/* sessions.begin */
INSERT INTO sessions (workspace_id, connector_id, conversation_id, started_at, hours, check_at,
  last_at, ended_at, end_reason)
SELECT workspace_id, connector_id, conversation_id, started_at, hours, check_at, last_at, ended_at,
  reason
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[], $5::int[], $6::timestamptz[],
    $7::timestamptz[], $8::timestamptz[], $9::text[]) WITH ORDINALITY
  AS t(workspace_id, connector_id, conversation_id, started_at, hours, check_at, last_at, ended_at,
    reason, n)
ORDER BY n`;

const NOTE_ENDS = `/* sessions.note-ends */
UPDATE conversations c SET session_ended_at = t.ended_at
FROM (
  SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[])
    AS t(workspace_id, id, ended_at) ${fewRows("$1")}
) t
WHERE c.workspace_id = t.workspace_id AND c.id = t.id`;

/** Each conversation once; their rows are held by this transaction. */
export async function writeSessions(
  tx: Transaction,
  writes: readonly SessionWrite[],
): Promise<void> {
  const resumed = writes.filter(goesOnAfterAll);
  if (resumed.length > 0) {
    await tx.query(RESUME, [
      ...keyColumns(resumed),
      resumed.map(({ move }) => move.hours),
      resumed.map(({ move }) => checkAt(move)),
    ]);
  }
  const ended = writes.flatMap((write) => {
    const { ended: end } = write.move;
    return end === null ? [] : [{ ...write, end }];
  });
  if (ended.length > 0) {
    await tx.query(END, [...keyColumns(ended), ...endColumns(ended.map(({ end }) => end))]);
  }
  const begun = writes.flatMap((write) =>
    write.move.begun.map(({ startedAtMs, ended: end }) => ({ ...write, startedAtMs, end })),
  );
  if (begun.length > 0) {
    await tx.query(BEGIN, [
      begun.map(({ workspaceId }) => workspaceId),
      begun.map(({ connectorId }) => connectorId),
      begun.map(({ conversationId }) => conversationId),
      begun.map(({ startedAtMs }) => isoOf(startedAtMs)),
      begun.map(({ move }) => move.hours),
      begun.map(({ end, move }) => (end === null ? checkAt(move) : null)),
      ...endColumns(begun.map(({ end }) => end)),
    ]);
  }
  const changed = writes.filter(({ endedAtMs, move }) => endedAtMs !== move.state.endedAtMs);
  if (changed.length > 0) {
    const ends = changed.map(({ move }) => isoOf(move.state.endedAtMs));
    await tx.query(NOTE_ENDS, [...keyColumns(changed), ends]);
  }
}

/** The newest session is the one from before, is open, and was ended: also since the batch was loaded. */
const goesOnAfterAll = ({ endedAtMs, move }: SessionWrite): boolean =>
  move.begun.length === 0 && move.state.endedAtMs === null && (move.resumes || endedAtMs !== null);

const isoOf = (timeMs: number | null) => (timeMs === null ? null : new Date(timeMs).toISOString());

const checkAt = ({ state, hours }: SessionMove) => isoOf(timeoutOf(state.lastAtMs, hours));

const keyColumns = (writes: readonly SessionWrite[]) => [
  writes.map(({ workspaceId }) => workspaceId),
  writes.map(({ conversationId }) => conversationId),
];

const endColumns = (ends: ReadonlyArray<SessionEnd | null>) => [
  ends.map((end) => isoOf(end?.lastAtMs ?? null)),
  ends.map((end) => isoOf(end?.endedAtMs ?? null)),
  ends.map((end) => end?.reason ?? null),
];
