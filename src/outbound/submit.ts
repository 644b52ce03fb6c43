import { randomUUID } from "node:crypto";
import type { Enqueued, NewJob } from "../jobs/index.ts";
import { Problem, sqlState, type Transaction } from "../platform/index.ts";
import {
  checkMessage,
  defaultOnUnknown,
  JOB_PRIORITY,
  type MessageFormat,
  type MessagePriority,
  type MessageState,
  type NewMessage,
  type OnUnknown,
} from "./message.ts";

/** What this room needs of the jobs: `Jobs` has it. */
export interface JobSink {
  enqueueIn(tx: Transaction, jobs: NewJob[]): Promise<Enqueued[]>;
}

export interface SubmittedMessage {
  id: string;
  state: MessageState;
}

/** A row of `outbound_messages` to be, with the job that sends it. */
export interface OutboundRow {
  id: string;
  workspaceId: string;
  connectorId: string;
  kind: "message" | "callback-answer";
  chatId: string;
  threadId: string | null;
  callbackQueryId: string | null;
  text: string;
  format: MessageFormat;
  buttons: object | null;
  replyTo: string | null;
  priority: MessagePriority;
  onUnknown: OnUnknown;
  causeId: string | null;
  runAt?: Date;
}

/** Answers to buttons have a place of their own in the queue: they expire in seconds. */
const CALLBACK_PRIORITY = 0;
const CALLBACK_MAX_ATTEMPTS = 3;

const INSERT = `/* outbound.submit */
INSERT INTO outbound_messages (workspace_id, id, connector_id, kind, chat_id, thread_id,
  callback_query_id, text, format, buttons, reply_to, priority, on_unknown, cause_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[],
  $7::text[], $8::text[], $9::text[], $10::jsonb[], $11::bigint[], $12::text[], $13::text[],
  $14::bigint[])`;

/**
 * Puts rows and their jobs into the caller's transaction. The jobs come last: a busy bot's lane row
 * is hot, and it stays locked until the transaction ends.
 */
export async function submitRows(
  tx: Transaction,
  jobs: JobSink,
  rows: OutboundRow[],
): Promise<void> {
  if (rows.length === 0) return;
  await tx.query(INSERT, [
    rows.map((row) => row.workspaceId),
    rows.map((row) => row.id),
    rows.map((row) => row.connectorId),
    rows.map((row) => row.kind),
    rows.map((row) => row.chatId),
    rows.map((row) => row.threadId),
    rows.map((row) => row.callbackQueryId),
    rows.map((row) => row.text),
    rows.map((row) => row.format),
    rows.map((row) => (row.buttons === null ? null : JSON.stringify(row.buttons))),
    rows.map((row) => row.replyTo),
    rows.map((row) => row.priority),
    rows.map((row) => row.onUnknown),
    rows.map((row) => row.causeId),
  ]);
  await jobs.enqueueIn(tx, rows.map(jobOf));
}

function jobOf(row: OutboundRow): NewJob {
  const isMessage = row.kind === "message";
  return {
    queue: "outbound",
    lane: row.connectorId,
    workspaceId: row.workspaceId,
    kind: isMessage ? "send" : "callback-answer",
    orderingKey: isMessage ? row.chatId : `cb/${row.id}`,
    priority: isMessage ? JOB_PRIORITY[row.priority] : CALLBACK_PRIORITY,
    payload: { messageId: row.id },
    ...(isMessage ? {} : { maxAttempts: CALLBACK_MAX_ATTEMPTS }),
    ...(row.runAt === undefined ? {} : { runAt: row.runAt }),
    ...(row.causeId === null ? {} : { causeId: row.causeId }),
  };
}

/**
 * Puts messages on the outbound queue, in the caller's transaction: they leave once it has
 * committed. Messages of one chat keep their order. Throws `Problem` 422 for a message that Telegram
 * would refuse, 404 when a workspace has no such connector.
 */
export async function submitMessages(
  tx: Transaction,
  jobs: JobSink,
  messages: NewMessage[],
): Promise<SubmittedMessage[]> {
  for (const message of messages) checkMessage(message);
  const rows = messages.map((message): OutboundRow => {
    const priority = message.priority ?? "medium";
    return {
      id: randomUUID(),
      workspaceId: message.workspaceId,
      connectorId: message.connectorId,
      kind: "message",
      chatId: message.chatId,
      threadId: message.threadId ?? null,
      callbackQueryId: null,
      text: message.text,
      format: message.format ?? "plain",
      buttons: message.buttons?.some((row) => row.length > 0) ? message.buttons : null,
      replyTo: message.replyTo ?? null,
      priority,
      onUnknown: message.onUnknown ?? defaultOnUnknown(priority),
      causeId: message.causeId ?? null,
      runAt: message.sendAt,
    };
  });
  try {
    await submitRows(tx, jobs, rows);
  } catch (error) {
    // 23503: the connector is not there, or not this workspace's. 22P02: not even a uuid.
    if (["23503", "22P02"].includes(sqlState(error) ?? "")) {
      throw new Problem(404, "No such connector", "There is no connector with this id.");
    }
    throw error;
  }
  return rows.map(({ id }) => ({ id, state: "queued" }));
}

/** One message; see `submitMessages`. */
export async function submitMessage(
  tx: Transaction,
  jobs: JobSink,
  message: NewMessage,
): Promise<SubmittedMessage> {
  const [submitted] = await submitMessages(tx, jobs, [message]);
  if (submitted === undefined) throw new Error("one message was submitted and none came back");
  return submitted;
}
