import { randomUUID } from "node:crypto";
import type { Reply, ReplySink } from "../conversations/index.ts";
import type { Enqueued, JobId, NewJob } from "../jobs/index.ts";
import type { Queryable, Transaction } from "../platform/index.ts";

export const PRIORITIES = ["critical", "high", "medium", "low"] as const;
export type Priority = (typeof PRIORITIES)[number];

const PRIORITY_NUMBERS: Record<Priority, number> = { critical: 0, high: 2, medium: 5, low: 8 };

export type MessageState = "queued" | "sending" | "sent" | "unknown" | "failed" | "cancelled";

export interface Button {
  text: string;
  /** Comes back when it is pressed: 1–64 bytes, forgeable. */
  data?: string;
  url?: string;
}

/** A message to be sent. Ids of Telegram are decimal strings; `chatId` may be a public `@name`. */
export interface NewMessage {
  workspaceId: string;
  connectorId: string;
  chatId: string;
  threadId?: string | null;
  /** A business account's connection to the bot, which then writes in the account's name. */
  businessConnectionId?: string | null;
  /** Nobody wrote it: to whoever asked something it is no answer. */
  isAutomatic?: boolean;
  text: string;
  format?: "plain" | "html" | "markdown";
  priority?: Priority;
  buttons?: Button[][];
  replyTo?: string;
  sendAt?: Date;
  /** What to do when nobody knows whether it was sent. Default: resend for critical and high, hold otherwise. */
  onUnknown?: "resend" | "hold";
  causeId?: JobId;
  /** Not shown in a conversation: it is said to somebody of whom nothing is stored. */
  isAside?: boolean;
  /** An answer to a pressed button instead of a message. */
  callbackQueryId?: string;
}

export interface MessageView {
  id: string;
  state: MessageState;
  attempts: number;
  telegramMessageIds: string[];
  error?: string;
}

export interface JobSink {
  enqueueIn(tx: Transaction, jobs: NewJob[]): Promise<Enqueued[]>;
}

const INSERT = `/* outbound.insert */
INSERT INTO outbound_messages (workspace_id, id, connector_id, chat_id, thread_id, kind,
  callback_query_id, text, format, buttons, reply_to, on_unknown, cause_id, business_connection_id,
  automatic, in_conversation)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::text[],
  $7::text[], $8::text[], $9::text[], $10::jsonb[], $11::bigint[], $12::text[], $13::bigint[],
  $14::text[], $15::boolean[], $16::boolean[])`;

/**
 * Writes messages and their jobs in the caller's transaction, set-based; answers their ids in
 * order. Lanes of bots are hot: call it last in a transaction. The text stays in its own table;
 * the job carries the id only.
 */
export async function submitMessages(
  tx: Transaction,
  jobs: JobSink,
  messages: NewMessage[],
): Promise<{ id: string; state: "queued" }[]> {
  if (messages.length === 0) return [];
  const ids = messages.map(() => randomUUID());
  const priorities = messages.map((message) => message.priority ?? "medium");
  const numbers = messages.map((message, n) =>
    message.callbackQueryId ? 0 : PRIORITY_NUMBERS[priorities[n] ?? "medium"],
  );
  await tx.query(INSERT, [
    messages.map((message) => message.workspaceId),
    ids,
    messages.map((message) => message.connectorId),
    messages.map((message) => message.chatId),
    messages.map((message) => message.threadId ?? null),
    messages.map((message) => (message.callbackQueryId ? "callback-answer" : "message")),
    messages.map((message) => message.callbackQueryId ?? null),
    messages.map((message) => message.text),
    messages.map((message) => message.format ?? "plain"),
    messages.map((message) => (message.buttons ? JSON.stringify(message.buttons) : null)),
    messages.map((message) => message.replyTo ?? null),
    messages.map((message, n) => message.onUnknown ?? defaultOnUnknown(priorities[n])),
    messages.map((message) => message.causeId ?? null),
    messages.map((message) => message.businessConnectionId ?? null),
    messages.map((message) => message.isAutomatic ?? false),
    messages.map((message) => message.isAside !== true),
  ]);
  await jobs.enqueueIn(
    tx,
    messages.map((message, n) => ({
      queue: "outbound",
      lane: message.connectorId,
      workspaceId: message.workspaceId,
      kind: message.callbackQueryId ? "callback-answer" : "message",
      // An answer to a button waits for nobody: a key of its own.
      orderingKey: message.callbackQueryId ? `callback/${ids[n]}` : message.chatId,
      priority: numbers[n],
      urgent: (numbers[n] ?? PRIORITY_NUMBERS.medium) <= PRIORITY_NUMBERS.high,
      payload: { messageId: ids[n] ?? "" },
      runAt: message.sendAt,
      causeId: message.causeId,
    })),
  );
  return ids.map((id) => ({ id, state: "queued" }));
}

function defaultOnUnknown(priority: Priority | undefined): "resend" | "hold" {
  return priority === "critical" || priority === "high" ? "resend" : "hold";
}

/**
 * Puts ingest's replies on the queue. They are urgent, because a person waits, but for courtesies:
 * thousands of those, after an hour's outage, would keep a command waiting for its answer.
 */
export function createReplySink({ jobs }: { jobs: JobSink }): ReplySink {
  return async (tx, replies) => {
    await submitMessages(tx, jobs, replies.map(messageOfReply));
  };
}

function messageOfReply(reply: Reply): NewMessage {
  const { workspaceId, connectorId, chatId, causeId, text } = reply;
  const where = { workspaceId, connectorId, chatId, causeId };
  const common = { ...where, text, priority: "high" as const, isAutomatic: true };
  if (reply.kind === "callback-answer") {
    return { ...common, callbackQueryId: reply.callbackQueryId };
  }
  return {
    ...common,
    ...(reply.isCourtesy ? { priority: "medium" as const } : {}),
    isAside: reply.isAside,
    threadId: reply.threadId,
    format: reply.format,
    buttons: reply.buttons,
    replyTo: reply.replyToMessageId,
  };
}

/** A message as its workspace sees it; null when there is none. */
export async function getMessage(
  on: Queryable,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<MessageView | null> {
  const [row] = await on.query<{
    id: string;
    state: MessageState;
    attempts: number;
    telegram_message_ids: string[];
    error: string | null;
  }>(
    `SELECT id, state, attempts, telegram_message_ids, error FROM outbound_messages
     WHERE workspace_id = $1 AND id = $2 AND kind = 'message'`,
    [workspaceId, id],
  );
  if (row === undefined) return null;
  return {
    id: row.id,
    state: row.state,
    attempts: row.attempts,
    telegramMessageIds: row.telegram_message_ids,
    ...(row.error === null ? {} : { error: row.error }),
  };
}
