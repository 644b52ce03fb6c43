import { randomUUID } from "node:crypto";
import { markUnreachable, recordOutgoing, rekeyChat } from "../conversations/index.ts";
import type { Choice, ExternalHandler, Job, LaneRunner, Outcome, Recorded } from "../jobs/index.ts";
import {
  type Database,
  isUnavailable,
  type Logger,
  type Metrics,
  sqlState,
  systemClock,
  type Transaction,
} from "../platform/index.ts";
import { type BotApi, BotApiError } from "../telegram/index.ts";
import type { MessageState } from "./messages.ts";
import { DOCUMENTED_LIMITS, Pace, type PaceLimits } from "./pace.ts";
import { callOf, MESSAGE_COLUMNS, type MessageRow, messageIdsOf } from "./send-call.ts";
import {
  notSentResult,
  resultOfError,
  type SendResult,
  sentResult,
  unknownResult,
} from "./send-result.ts";

export interface OutboundOptions {
  db: Database;
  botApiFor(connectorId: string): Promise<BotApi>;
  /** Telegram refuses the bot's token. */
  onUnauthorized(connectorId: string, reason: string): Promise<void>;
  metrics: Metrics;
  log: Logger;
  limits?: PaceLimits;
  /** Deadline of one call, in ms. Default 15 000. */
  callTimeoutMs?: number;
}

/** An attempt in this drain's hands. */
interface Attempt {
  id: string;
  message: MessageRow;
  result: SendResult | null;
  /** When it began, by this process's monotonic clock: its call must end by the deadline. */
  begunMs: number;
}

/** A successor waits this much longer than the call's deadline: the answer must still be written. */
const RECORD_MARGIN_MS = 3_000;

/** Sends what waits, one drain a bot: paced, in order per chat, every attempt on record. */
export function createOutboundHandler(options: OutboundOptions): ExternalHandler {
  const sends = options.metrics.counter({
    name: "heliograph_sends_total",
    help: "Calls that send, by what became of them.",
    labels: ["outcome"],
  });
  const seconds = options.metrics.histogram({
    name: "heliograph_send_seconds",
    help: "Duration of the calls that send.",
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15],
  });
  const observe = (result: SendResult, runMs: number) => {
    sends.inc({ outcome: result.attempt });
    seconds.observe(runMs / 1_000);
  };
  return {
    mode: "external",
    open: async ({ lane, workspaceId }) => {
      const pace = await rebuildPace(options.db, lane, options.limits ?? DOCUMENTED_LIMITS);
      return new BotRunner(options, workspaceId, lane, pace, observe);
    },
  };
}

/** The pace as the last minute's attempts and the holds in force leave it, whoever made them. */
async function rebuildPace(db: Database, connectorId: string, limits: PaceLimits): Promise<Pace> {
  const pace = new Pace(limits);
  const nowMs = systemClock();
  const rows = await db.query<{ chat_id: string; age_ms: number | null; left_ms: number | null }>(
    `/* outbound.pace */
     (SELECT chat_id, (extract(epoch FROM clock_timestamp() - started_at) * 1000)
        ::double precision AS age_ms, NULL::double precision AS left_ms
      FROM send_attempts WHERE connector_id = $1 AND started_at > now() - interval '61 s'
      ORDER BY started_at LIMIT 5000)
     UNION ALL
     SELECT chat_id, NULL, (extract(epoch FROM until - clock_timestamp()) * 1000)::double precision
     FROM send_holds WHERE connector_id = $1 AND until > now()`,
    [connectorId],
  );
  for (const { chat_id, age_ms, left_ms } of rows) {
    if (age_ms !== null) pace.record(chat_id || null, nowMs - age_ms);
    if (left_ms !== null) pace.hold(chat_id || null, nowMs + left_ms);
  }
  return pace;
}

class BotRunner implements LaneRunner {
  private readonly options: OutboundOptions;
  private readonly workspaceId: string;
  private readonly connectorId: string;
  private readonly pace: Pace;
  private readonly observe: (result: SendResult, runMs: number) => void;
  private readonly attempts = new Map<string, Attempt>();

  constructor(
    options: OutboundOptions,
    workspaceId: string,
    connectorId: string,
    pace: Pace,
    observe: (result: SendResult, runMs: number) => void,
  ) {
    this.options = options;
    this.workspaceId = workspaceId;
    this.connectorId = connectorId;
    this.pace = pace;
    this.observe = observe;
  }

  held(nowMs: number): { keys: string[]; untilMs: number | null } {
    const { chatIds, untilMs } = this.pace.heldChats(nowMs);
    return { keys: chatIds, untilMs };
  }

  choose(ready: Job[], nowMs: number): Choice {
    let waitUntilMs = Number.POSITIVE_INFINITY;
    const byUrgency = [...ready].sort(
      (a, b) => a.priority - b.priority || Number(BigInt(a.id) - BigInt(b.id)),
    );
    for (const job of byUrgency) {
      const chatId = chatOf(job);
      const nextMs = this.pace.nextAtMs(chatId, nowMs);
      if (nextMs <= nowMs) {
        this.pace.record(chatId, nowMs);
        return { job };
      }
      waitUntilMs = Math.min(waitUntilMs, nextMs);
    }
    return { waitUntilMs };
  }

  async begin(tx: Transaction, job: Job): Promise<void> {
    const id = randomUUID();
    const [message] = await tx.query<MessageRow>(
      `/* outbound.attempt */
       WITH sending AS (
         UPDATE outbound_messages m SET state = 'sending', attempts = m.attempts + 1, job_id = $3
         WHERE m.workspace_id = $1 AND m.id = $2 AND m.state IN ('queued', 'sending')
         RETURNING ${MESSAGE_COLUMNS}
       ), begun AS (
         INSERT INTO send_attempts (workspace_id, id, message_id, connector_id, chat_id, job_id,
           job_attempt, deadline_at)
         SELECT $1, $4, id, $5, CASE WHEN kind = 'message' THEN chat_id ELSE '' END, $3, $6,
           clock_timestamp() + $7 * interval '1 ms'
         FROM sending
       )
       SELECT * FROM sending`,
      [
        this.workspaceId,
        String(job.payload.messageId),
        job.id,
        id,
        this.connectorId,
        job.attempts + 1,
        this.callTimeoutMs + RECORD_MARGIN_MS,
      ],
    );
    // Sent after all by a holder that was believed dead, or gone: there is nothing to send.
    if (message === undefined) return;
    this.attempts.set(job.id, { id, message, result: null, begunMs: performance.now() });
  }

  async run(job: Job, signal: AbortSignal): Promise<Outcome> {
    const attempt = this.attempts.get(job.id);
    if (attempt === undefined) return { type: "complete" };
    const startedMs = performance.now();
    attempt.result = await this.send(attempt, signal);
    this.observe(attempt.result, performance.now() - startedMs);
    this.heed(attempt.message.chat_id, attempt.result);
    return attempt.result.outcome;
  }

  async finish(tx: Transaction, job: Job, _outcome: Outcome, recorded: Recorded): Promise<void> {
    const attempt = this.attempts.get(job.id);
    const result = attempt?.result ?? null;
    if (attempt && result) await this.writeAttempt(tx, attempt.id, result);
    if (result?.attempt === "sent") await this.writeSent(tx, job, result);
    // An attempt that never began has nothing to write but the message's own state.
    else if (recorded.applied && (result || recorded.state !== "completed")) {
      await this.writeState(tx, job, result, recorded);
    }
    if (attempt && result) await this.writeConsequences(tx, attempt, result);
    // Only once it is written: a transaction that is repeated needs the result again.
    tx.afterCommit(() => this.attempts.delete(job.id));
  }

  /** What a dead holder left: not known before its call's deadline has passed, unknown after it. */
  async orphan(job: Job): Promise<Outcome> {
    const [row] = await this.options.db.query<MessageRow & { attempt_id: string; left_ms: number }>(
      `/* outbound.orphan */
       SELECT ${MESSAGE_COLUMNS}, a.id AS attempt_id,
         (extract(epoch FROM a.deadline_at - clock_timestamp()) * 1000)::double precision AS left_ms
       FROM outbound_messages m
       JOIN send_attempts a ON a.workspace_id = m.workspace_id AND a.message_id = m.id
       WHERE m.workspace_id = $1 AND m.id = $2 AND a.finished_at IS NULL
       ORDER BY a.started_at DESC LIMIT 1`,
      [this.workspaceId, String(job.payload.messageId)],
    );
    if (row === undefined) {
      return { type: "retry", errorClass: "WorkerDied", error: "no attempt was on record" };
    }
    if (row.left_ms > 0) {
      return { type: "pause", untilMs: systemClock() + row.left_ms, reason: "may still be sent" };
    }
    const result = unknownResult(row.on_unknown, "the worker died while the call was under way");
    this.attempts.set(job.id, { id: row.attempt_id, message: row, result, begunMs: 0 });
    return result.outcome;
  }

  private get callTimeoutMs(): number {
    return this.options.callTimeoutMs ?? 15_000;
  }

  private async send(attempt: Attempt, signal: AbortSignal): Promise<SendResult> {
    const { message } = attempt;
    // A process that was stopped since may have a successor that has judged this attempt.
    const timeoutMs = attempt.begunMs + this.callTimeoutMs - performance.now();
    if (timeoutMs <= 0) return notSentResult("late", "it was too late to send", systemClock());
    const call = async (params: { method: string; payload: Record<string, unknown> }) => {
      const api = await this.options.botApiFor(this.connectorId);
      const limits = { timeoutMs, signal };
      return api.call(params.method, params.payload, limits);
    };
    try {
      return sentResult(await call(callOf(message)));
    } catch (error) {
      // Our formatting, not their message: the same text goes out plain, and the message says so.
      if (error instanceof BotApiError && error.kind === "bad-entities") {
        return this.sendPlain(message, call);
      }
      return resultOfError(error, message.on_unknown, systemClock());
    }
  }

  private async sendPlain(
    message: MessageRow,
    call: (params: ReturnType<typeof callOf>) => Promise<unknown>,
  ): Promise<SendResult> {
    this.pace.record(message.chat_id, systemClock());
    try {
      const answer = await call(callOf({ ...message, format: "plain" }));
      return sentResult(answer, "Sent as plain text: Telegram could not read its formatting.");
    } catch (error) {
      return resultOfError(error, message.on_unknown, systemClock());
    }
  }

  /** What an answer means for the pace of what comes next. */
  private heed(chatId: string, result: SendResult): void {
    const nowMs = systemClock();
    if (result.retryAfterS !== null) {
      const untilMs = nowMs + result.retryAfterS * 1_000;
      this.pace.hold(chatId, untilMs);
      if (this.isBotWide(chatId)) this.pace.hold(null, untilMs);
    }
    if (result.migratedTo !== null) this.pace.move(chatId, result.migratedTo);
    const whole = result.unauthorized || result.attempt === "not-sent";
    if (whole && result.outcome.type === "pause") this.pace.hold(null, result.outcome.untilMs);
  }

  /** Several chats held at once: it is the bot that is too fast, not one chat. */
  private isBotWide(chatId: string): boolean {
    return this.pace.holdsBeside(chatId, systemClock()) > 0;
  }

  /** A pause is nobody's try: an outage of hours must not count up what a message shows. */
  private async writeAttempt(tx: Transaction, id: string, result: SendResult): Promise<void> {
    await tx.query(
      `/* outbound.attempt-end */
       WITH attempt AS (
         SELECT workspace_id, message_id, finished_at IS NULL AS is_first FROM send_attempts
         WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE
       ), ended AS (
         UPDATE send_attempts SET finished_at = clock_timestamp(), outcome = $3, error_class = $4,
           retry_after_s = $5
         WHERE workspace_id = $1 AND id = $2
       )
       UPDATE outbound_messages m SET attempts = m.attempts - 1
       FROM attempt a
       WHERE $6 AND a.is_first AND m.workspace_id = a.workspace_id AND m.id = a.message_id`,
      [
        this.workspaceId,
        id,
        result.attempt,
        result.errorClass,
        result.retryAfterS,
        result.outcome.type === "pause",
      ],
    );
  }

  /** That it was sent is true whoever holds the lane now, and whatever was believed before. */
  private async writeSent(tx: Transaction, job: Job, result: SendResult): Promise<void> {
    const ids = messageIdsOf(result.message);
    await tx.query(
      `/* outbound.sent */
       UPDATE outbound_messages
       SET state = 'sent', telegram_message_ids = telegram_message_ids || $3::bigint[],
         sent_at = coalesce(sent_at, clock_timestamp()), error_class = NULL, error = $4
       WHERE workspace_id = $1 AND id = $2`,
      [this.workspaceId, String(job.payload.messageId), ids, result.error],
    );
    if (ids.length > 0) await this.showInConversation(tx, job, result.message);
  }

  /** A fault in how it is shown must not undo what is known: that it was sent. */
  private async showInConversation(tx: Transaction, job: Job, message: unknown): Promise<void> {
    const { workspaceId, connectorId } = this;
    const sent = { workspaceId, connectorId, message, jobId: job.id, acceptedAtMs: systemClock() };
    await tx.query("SAVEPOINT conversation");
    try {
      await recordOutgoing(tx, [sent]);
      await tx.query("RELEASE SAVEPOINT conversation");
    } catch (error) {
      if (isUnavailable(error) || /^40/.test(sqlState(error) ?? "")) throw error;
      await tx.query("ROLLBACK TO SAVEPOINT conversation");
      this.options.log.error({ err: error, jobId: job.id }, "a sent message could not be shown");
    }
  }

  private async writeState(
    tx: Transaction,
    job: Job,
    result: SendResult | null,
    recorded: Recorded,
  ): Promise<void> {
    const state: MessageState =
      recorded.state === "retryable"
        ? "queued"
        : result?.attempt === "unknown"
          ? "unknown"
          : "failed";
    await tx.query(
      `/* outbound.state */
       UPDATE outbound_messages SET state = $3, error_class = $4, error = $5
       WHERE workspace_id = $1 AND id = $2 AND state <> 'sent'`,
      [
        this.workspaceId,
        String(job.payload.messageId),
        state,
        result?.errorClass ?? (state === "failed" ? "Internal" : null),
        result?.error ?? (state === "failed" ? "It could not be sent; see its job." : null),
      ],
    );
  }

  private async writeConsequences(
    tx: Transaction,
    { message }: Attempt,
    result: SendResult,
  ): Promise<void> {
    const scope = { workspaceId: this.workspaceId, connectorId: this.connectorId };
    if (result.retryAfterS !== null) {
      const chats = this.isBotWide(message.chat_id) ? [message.chat_id, ""] : [message.chat_id];
      await tx.query(
        `/* outbound.hold */
         INSERT INTO send_holds AS h (workspace_id, connector_id, chat_id, until)
         SELECT $1, $2, chat_id, clock_timestamp() + $4 * interval '1 s'
         FROM unnest($3::text[]) AS t(chat_id) ORDER BY chat_id
         ON CONFLICT (workspace_id, connector_id, chat_id) DO UPDATE
           SET until = greatest(h.until, excluded.until)`,
        [this.workspaceId, this.connectorId, chats, result.retryAfterS],
      );
    }
    if (result.unreachable && /^-?[0-9]+$/.test(message.chat_id)) {
      await markUnreachable(tx, [{ ...scope, chatId: message.chat_id }]);
    }
    if (result.migratedTo !== null) {
      await rekeyChat(tx, { ...scope, from: message.chat_id, to: result.migratedTo });
      await tx.query(
        `/* outbound.rekey */
         UPDATE outbound_messages SET chat_id = $4
         WHERE workspace_id = $1 AND connector_id = $2 AND chat_id = $3
           AND state IN ('queued', 'sending', 'unknown')`,
        [this.workspaceId, this.connectorId, message.chat_id, result.migratedTo],
      );
    }
    if (result.unauthorized) {
      const reason = result.error ?? "Telegram refuses the bot's token.";
      tx.afterCommit(() => void this.reportUnauthorized(reason));
    }
  }

  private async reportUnauthorized(reason: string): Promise<void> {
    const { log, onUnauthorized } = this.options;
    try {
      await onUnauthorized(this.connectorId, reason);
    } catch (error) {
      log.warn({ err: error, connectorId: this.connectorId }, "connector could not be disabled");
    }
  }
}

/** The chat whose pace a job counts for; null for calls that no chat's pace limits. */
function chatOf(job: Job): string | null {
  return job.kind === "message" ? job.orderingKey : null;
}
