import { randomUUID } from "node:crypto";
import type { EndedAttempt, Job, JobId } from "../jobs/index.ts";
import {
  fewRows,
  isLockTimeout,
  isUnavailable,
  type Logger,
  type Queryable,
  sqlState,
  type Transaction,
} from "../platform/index.ts";
import { CHAT_OUTCOMES, writeReachable } from "./chat-outcomes.ts";
import { BRINGS_FILES, COST, enqueueDeletions, FILES_MS } from "./content/index.ts";
import { MAY_BE_SENT, UNKNOWN } from "./may-be-sent.ts";
import { toldOfPart } from "./message-parts.ts";
import type { MessageState } from "./new-message.ts";
import { MESSAGE_COLUMNS, type MessageRow, messageIdsOf } from "./send-call.ts";
import type { SendResult } from "./send-result.ts";
import { isAnythingShown, recordShown, shownOf } from "./shown.ts";
import { IS_WHOLE } from "./waiting-message.ts";

/** Telegram asked to wait with a chat, or with the bot (''). */
export interface NewHold {
  chatId: string;
  /** Seconds from now. */
  forS: number;
}

/** An attempt in a drain's hands. */
export interface SendAttempt {
  id: string;
  message: MessageRow;
  /** Null until there is an answer, or a verdict. */
  result: SendResult | null;
  /** What a 429 holds. */
  holds: NewHold[];
  /** When it began, by this process's monotonic clock: its call must end by the deadline. */
  begunMs: number;
  /** From then on, in ms, until its message is not to be sent any more; null: there is no such time. */
  expiresInMs: number | null;
  /** An earlier attempt may have reached Telegram. Known of messages that expire. */
  mayBeSent: boolean;
  /** It is of a broadcast, and its chat wants none since it was made; nothing of it was sent. */
  isRefused: boolean;
  /** Its chat was marked as one that cannot be reached when it began. */
  wasUnreachable: boolean;
}

type Ended = EndedAttempt<SendAttempt>;

/** A successor waits this much longer than the call's deadline: the answer must still be written. */
const RECORD_MARGIN_MS = 3_000;

/** As SQL, of a broadcast's message `m`: whom it is for has said meanwhile that it wants none. */
const IS_REFUSED = `EXISTS (
  SELECT FROM broadcast_opt_outs o
  WHERE o.workspace_id = m.workspace_id AND o.connector_id = m.connector_id
    AND o.chat_id = m.chat_id::bigint OFFSET 0)`;

/** As SQL, of a message `m`: its chat cannot be reached, as far as is known. */
const IS_UNREACHABLE = `EXISTS (
  SELECT FROM chats c
  WHERE c.workspace_id = m.workspace_id AND c.connector_id = m.connector_id AND NOT c.reachable
    AND c.chat_id = CASE WHEN m.chat_id NOT LIKE '@%' THEN m.chat_id::bigint END OFFSET 0)`;

const BEGIN = `/* outbound.attempt */
WITH asked AS MATERIALIZED (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::smallint[], $5::uuid[], $6::uuid[],
    $7::int[], $8::boolean[]) AS a(workspace_id, message_id, job_id, job_attempt, attempt_id,
      connector_id, deadline_ms, paid) ${fewRows("$1")}
), sending AS (
  UPDATE outbound_messages m SET state = 'sending', attempts = m.attempts + 1, job_id = a.job_id
  FROM asked a
  WHERE m.workspace_id = a.workspace_id AND m.id = a.message_id AND m.state IN ('queued', 'sending')
  RETURNING ${MESSAGE_COLUMNS}, a.workspace_id, a.job_id, a.job_attempt, a.attempt_id, a.connector_id,
    a.paid, a.deadline_ms + CASE WHEN ${BRINGS_FILES} THEN ${FILES_MS} ELSE 0 END AS deadline_ms,
    CASE WHEN ${IS_WHOLE} THEN
      (extract(epoch FROM m.expires_at - clock_timestamp()) * 1000)::double precision
    END AS expires_in_ms,
    m.expires_at IS NOT NULL AND m.attempts > 1 AND ${MAY_BE_SENT} AS may_be_sent,
    CASE WHEN m.broadcast_id IS NULL THEN false
      ELSE ${IS_WHOLE} AND ${IS_REFUSED} AND NOT ${MAY_BE_SENT} END AS is_refused,
    ${IS_UNREACHABLE} AS was_unreachable
), begun AS (
  INSERT INTO send_attempts (workspace_id, id, message_id, connector_id, chat_id, job_id,
    job_attempt, cost, paid, deadline_at)
  SELECT workspace_id, attempt_id, id, connector_id,
    CASE WHEN kind = 'message' THEN chat_id ELSE '' END, job_id, job_attempt, ${COST}, paid,
    clock_timestamp() + deadline_ms * interval '1 ms'
  FROM sending m
)
SELECT * FROM sending`;

type BegunRow = MessageRow & {
  job_id: JobId;
  attempt_id: string;
  expires_in_ms: number | null;
  may_be_sent: boolean;
  is_refused: boolean;
  was_unreachable: boolean;
};

/**
 * Puts attempts on record before their calls leave: to be called in the transaction that marks the
 * jobs running. What is not in the answer needs no sending: it was sent after all by a holder that
 * was believed dead, or is gone.
 */
export async function beginSending(
  tx: Transaction,
  jobs: Job[],
  { callTimeoutMs, isPaid }: { callTimeoutMs(lane: string): number; isPaid(job: Job): boolean },
): Promise<Map<JobId, SendAttempt>> {
  const rows = await tx.query<BegunRow>(BEGIN, [
    jobs.map((job) => job.workspaceId),
    jobs.map((job) => String(job.payload.messageId)),
    jobs.map((job) => job.id),
    jobs.map((job) => job.attempts + 1),
    jobs.map(() => randomUUID()),
    jobs.map((job) => job.lane),
    jobs.map((job) => callTimeoutMs(job.lane) + RECORD_MARGIN_MS),
    jobs.map(isPaid),
  ]);
  const begunMs = performance.now();
  return new Map(
    rows.map((row) => {
      const { job_id, attempt_id, expires_in_ms, may_be_sent, is_refused, ...rest } = row;
      const { was_unreachable, ...message } = rest;
      const attempt: SendAttempt = {
        id: attempt_id,
        message,
        result: null,
        holds: [],
        begunMs,
        expiresInMs: expires_in_ms,
        mayBeSent: may_be_sent,
        isRefused: is_refused,
        wasUnreachable: was_unreachable,
      };
      return [job_id, attempt];
    }),
  );
}

/**
 * The attempt that a dead holder left without an outcome, and how long its call may still be under
 * way, in ms; null when none is on record.
 */
export async function orphanedAttempt(
  db: Queryable,
  job: Job,
): Promise<{ attempt: SendAttempt; leftMs: number } | null> {
  const [row] = await db.query<MessageRow & { attempt_id: string; left_ms: number }>(
    `/* outbound.orphan */
     SELECT ${MESSAGE_COLUMNS}, a.id AS attempt_id,
       (extract(epoch FROM a.deadline_at - clock_timestamp()) * 1000)::double precision AS left_ms
     FROM outbound_messages m
     JOIN send_attempts a ON a.workspace_id = m.workspace_id AND a.message_id = m.id
     WHERE m.workspace_id = $1 AND m.id = $2 AND a.finished_at IS NULL
     ORDER BY a.started_at DESC LIMIT 1`,
    [job.workspaceId, String(job.payload.messageId)],
  );
  if (row === undefined) return null;
  const { attempt_id: id, left_ms: leftMs, ...message } = row;
  const ended = { result: null, holds: [], begunMs: 0, expiresInMs: null };
  const unknown = { mayBeSent: true, isRefused: false, wasUnreachable: false };
  return { attempt: { id, message, ...ended, ...unknown }, leftMs };
}

/** That it was sent is never unsaid. */
const IS_NEWS = "(e.state IS NOT NULL AND (e.state = 'sent' OR m.state <> 'sent'))";

/**
 * Attempts and messages in one statement, each message once. That one was sent is true whoever holds
 * the lane now, and whatever was believed before. A pause is nobody's try: an outage of hours must
 * not count up what a message shows.
 */
const END = `/* outbound.attempt-end */
WITH ends AS MATERIALIZED (
  SELECT workspace_id, message_id, attempt_id, outcome, attempt_class, retry_after_s, is_pause,
    state, string_to_array(ids, ',')::bigint[] AS telegram_ids, error_class, error, parts_sent
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::int[],
    $7::boolean[], $8::text[], $9::text[], $10::text[], $11::text[],
    $12::smallint[])
    AS e(workspace_id, message_id, attempt_id, outcome, attempt_class, retry_after_s, is_pause,
      state, ids, error_class, error, parts_sent) ${fewRows("$1")}
), attempt AS (
  SELECT a.workspace_id, a.id, a.finished_at IS NULL AS is_first FROM ends e
  JOIN send_attempts a ON a.workspace_id = e.workspace_id AND a.id = e.attempt_id
  FOR NO KEY UPDATE OF a
), ended AS (
  UPDATE send_attempts a SET finished_at = clock_timestamp(), outcome = e.outcome,
    error_class = e.attempt_class, retry_after_s = e.retry_after_s
  FROM ends e WHERE a.workspace_id = e.workspace_id AND a.id = e.attempt_id
)
UPDATE outbound_messages m SET
  attempts = m.attempts - CASE WHEN e.is_pause AND a.is_first THEN 1 ELSE 0 END,
  state = CASE WHEN ${IS_NEWS} THEN e.state ELSE m.state END,
  error_class = CASE WHEN ${IS_NEWS} THEN e.error_class ELSE m.error_class END,
  error = CASE WHEN ${IS_NEWS} THEN e.error ELSE m.error END,
  telegram_message_ids = CASE WHEN m.telegram_message_ids @> e.telegram_ids
    THEN m.telegram_message_ids ELSE m.telegram_message_ids || e.telegram_ids END,
  parts_sent = greatest(m.parts_sent, e.parts_sent),
  sent_at = CASE WHEN e.state = 'sent' THEN coalesce(m.sent_at, clock_timestamp())
    ELSE m.sent_at END
FROM ends e
LEFT JOIN attempt a ON a.workspace_id = e.workspace_id AND a.id = e.attempt_id
WHERE m.workspace_id = e.workspace_id AND m.id = e.message_id
  AND (e.state IS NOT NULL OR e.is_pause)`;

export interface EndSendingOptions {
  log: Logger;
  /** Telegram refuses a bot's token. Never rejects. */
  reportUnauthorized(connectorId: string, reason: string): Promise<void>;
}

/**
 * Writes what became of attempts, of their messages, and what that says of chats and bots. Among
 * several ends none concerns chats (jobs room), but for some that can be reached again; `onlyEssential`: attempts and messages, and the rest where nobody
 * has it locked.
 */
export async function endSending(
  tx: Transaction,
  ends: Ended[],
  { log, reportUnauthorized, onlyEssential }: EndSendingOptions & { onlyEssential: boolean },
): Promise<void> {
  const changes = ends.map((end) => ({ end, result: resultOf(end), ...messageChange(end) }));
  await tx.query(END, [
    ends.map(({ job }) => job.workspaceId),
    ends.map(({ job }) => String(job.payload.messageId)),
    changes.map(({ end, result }) => (result === null ? null : (end.own?.id ?? null))),
    changes.map(({ result }) => result?.attempt ?? null),
    changes.map(({ result }) => result?.errorClass ?? null),
    changes.map(({ result }) => result?.retryAfterS ?? null),
    changes.map(({ result }) => result?.outcome.type === "pause"),
    changes.map(({ state }) => state),
    changes.map(({ result }) => messageIdsOf(result?.message).join(",")),
    changes.map(({ errorClass }) => errorClass),
    changes.map(({ error }) => error),
    changes.map(({ end, result }) => partsSentBy(end, result)),
  ]);
  await forgetAnswers(tx, ends);
  const shown = shownOf(ends);
  const confined = { log, jobId: ends[0]?.job.id, mayLeave: onlyEssential };
  const ofChats = (write: typeof writeReachable): Promise<void> =>
    onlyEssential
      ? confine(tx, () => write(tx, ends), { ...confined, mayFail: false })
      : write(tx, ends);
  await ofChats(writeReachable);
  if (ends.length > 1) await recordShown(tx, shown);
  else if (isAnythingShown(shown)) {
    // A fault in how a message is shown must not undo what is known: that it was sent. Of several
    // ends the faulty one is found by trying each alone, which the caller does.
    await confine(tx, () => recordShown(tx, shown), { ...confined, mayFail: true });
  }
  for (const write of CHAT_OUTCOMES) await ofChats(write);
  const vanishing = ends.filter(({ own }) => own?.result && own.message.delete_after_s);
  if (vanishing.length > 0) {
    const notices = vanishing.map(({ job }) => ({
      workspaceId: job.workspaceId,
      messageId: String(job.payload.messageId),
    }));
    await confine(tx, () => enqueueDeletions(tx, notices), { ...confined, mayFail: false });
  }
  const refused = new Map(
    ends.flatMap((end) => {
      const result = resultOf(end);
      return result?.unauthorized ? [[end.job.lane, result.error] as const] : [];
    }),
  );
  for (const [connectorId, error] of refused) {
    const reason = error ?? "Telegram refuses the bot's token.";
    tx.afterCommit(() => void reportUnauthorized(connectorId, reason));
  }
}

/** `mayFail`: an error of the write is logged; `mayLeave`: what is locked is left out, and logged. */
async function confine(
  tx: Transaction,
  write: () => Promise<unknown>,
  context: { log: Logger; jobId: JobId | undefined; mayFail: boolean; mayLeave: boolean },
): Promise<void> {
  await tx.query("SAVEPOINT consequence");
  try {
    await write();
    await tx.query("RELEASE SAVEPOINT consequence");
  } catch (error) {
    if (isUnavailable(error) || sqlState(error)?.startsWith("40")) throw error;
    if (isLockTimeout(error) ? !context.mayLeave : !context.mayFail) throw error;
    await tx.query("ROLLBACK TO SAVEPOINT consequence");
    const { log, jobId } = context;
    log.error({ err: error, jobId }, "a consequence of a sent message could not be written");
  }
}

/** What was found for somebody who typed is of no use once it was shown, or could not be. */
const FORGET_ANSWERS = `/* outbound.forget-answers */
UPDATE outbound_messages m SET content = NULL
FROM (
  SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS t(workspace_id, id) ${fewRows("$1")}
) t
WHERE m.workspace_id = t.workspace_id AND m.id = t.id AND m.kind = 'inline-answer'
  AND m.state NOT IN ('queued', 'sending')`;

async function forgetAnswers(tx: Transaction, ends: Ended[]): Promise<void> {
  const answers = ends.filter(({ own }) => own?.message.kind === "inline-answer");
  if (answers.length === 0) return;
  await tx.query(FORGET_ANSWERS, [
    answers.map(({ job }) => job.workspaceId),
    answers.map(({ job }) => String(job.payload.messageId)),
  ]);
}

const resultOf = ({ own }: Ended): SendResult | null => own?.result ?? null;

/** What its message shows from now on; a null state leaves it as it is. */
function messageChange(end: Ended): {
  state: MessageState | null;
  errorClass: string | null;
  error: string | null;
} {
  const result = resultOf(end);
  if (result?.attempt === "sent") {
    const isWhole = result.outcome.type !== "pause";
    const state = isWhole ? "sent" : end.applied ? "queued" : null;
    return { state, errorClass: null, error: result.error };
  }
  // An attempt that never began has nothing to write but the message's own state.
  if (!end.applied || (result === null && end.state === "completed")) {
    return { state: null, errorClass: null, error: null };
  }
  const { errorClass, error: words } = result ?? { errorClass: null, error: null };
  const error = words && toldOfPart(words, end.own?.message);
  if (end.state === "retryable") return { state: "queued", errorClass, error };
  // This attempt, or one before it that nothing follows any more (`expiredResult`).
  const isEarlier = result?.attempt === "not-sent" && errorClass === UNKNOWN;
  if (result?.attempt === "unknown" || isEarlier) return { state: "unknown", errorClass, error };
  return {
    state: "failed",
    errorClass: errorClass ?? "Internal",
    error: error ?? "It could not be sent; see its job.",
  };
}

/**
 * How many parts are sent for certain, once this one is. An answer that comes late, after another
 * holder sent the part again, makes it no more.
 */
function partsSentBy({ own }: Ended, result: SendResult | null): number {
  return result?.attempt === "sent" && own !== null ? own.message.parts_sent + 1 : 0;
}
