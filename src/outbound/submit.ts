import { randomUUID } from "node:crypto";
import type { Enqueued, JobId, NewJob } from "../jobs/index.ts";
import { fewRows, type Queryable, type Transaction } from "../platform/index.ts";
import { bringsFiles, costOf, takesPayment, targetIdOf } from "./content/index.ts";
import { columnsOf, type FormattedMessage, formatMessage } from "./formatted-message.ts";
import {
  type MessageState,
  type NewMessage,
  PRIORITY_NUMBERS,
  type Priority,
} from "./new-message.ts";

export interface JobSink {
  enqueueIn(tx: Transaction, jobs: NewJob[]): Promise<Enqueued[]>;
}

/** A message whose text is as its row has it. */
type Formatted = Omit<NewMessage, "entities"> & FormattedMessage;

/** Columns of a new message: name, type, and where the value comes from. */
const COLUMNS: [string, string, (message: Formatted) => unknown][] = [
  ["workspace_id", "uuid", (message) => message.workspaceId],
  ["connector_id", "uuid", (message) => message.connectorId],
  ["chat_id", "text", (message) => message.chatId],
  ["thread_id", "bigint", (message) => message.threadId ?? null],
  ["kind", "text", kindOf],
  ["callback_query_id", "text", (message) => message.callbackQueryId ?? null],
  ["text", "text", (message) => message.text],
  ["entities", "jsonb", (message) => columnsOf(message).entities],
  ["cuts", "jsonb", (message) => columnsOf(message).cuts],
  ["content", "jsonb", (message) => (message.content ? JSON.stringify(message.content) : null)],
  ["target_id", "uuid", (message) => targetIdOf(message.content)],
  ["buttons", "jsonb", (message) => (message.buttons ? JSON.stringify(message.buttons) : null)],
  ["reply_to", "bigint", (message) => message.replyTo ?? null],
  ["on_unknown", "text", (message) => message.onUnknown ?? defaultOnUnknown(message.priority)],
  ["cause_id", "bigint", (message) => message.causeId ?? null],
  ["business_connection_id", "text", (message) => message.businessConnectionId ?? null],
  ["automatic", "boolean", (message) => message.isAutomatic ?? false],
  ["in_conversation", "boolean", (message) => message.isAside !== true],
  ["priority", "smallint", priorityOf],
  ["send_at", "timestamptz", (message) => message.sendAt ?? null],
  ["expires_at", "timestamptz", (message) => message.expiresAt ?? null],
  ["silent", "boolean", (message) => message.isSilent ?? false],
  ["protected", "boolean", (message) => message.isProtected ?? false],
  ["link_preview", "boolean", (message) => message.hasLinkPreview ?? true],
  ["delete_after_s", "integer", (message) => message.deleteAfterS ?? null],
  ["submitted_by", "text", (message) => message.submittedBy ?? null],
  ["broadcast_id", "uuid", (message) => message.broadcastId ?? null],
  ["approved", "boolean", (message) => message.isApproved ?? false],
  ["template", "text", (message) => message.template?.name ?? null],
  ["template_version", "integer", (message) => message.template?.version ?? null],
];

const INSERT = `/* outbound.insert */
INSERT INTO outbound_messages (id, state, job_id, ${COLUMNS.map(([name]) => name).join(", ")})
SELECT m.id, $2, m.job_id, ${COLUMNS.map(([name]) => `m.${name}`).join(", ")}
FROM unnest($1::uuid[], $3::bigint[],
    ${COLUMNS.map(([, type], n) => `$${n + 4}::${type}[]`).join(", ")})
  AS m(id, job_id, ${COLUMNS.map(([name]) => name).join(", ")})`;

async function write(
  tx: Transaction,
  messages: readonly NewMessage[],
  { ids, jobIds, state }: { ids: string[]; jobIds: (JobId | null)[]; state: MessageState },
): Promise<void> {
  const formatted = withTexts(messages);
  const values = COLUMNS.map(([, , read]) => formatted.map(read));
  await tx.query(INSERT, [ids, state, jobIds, ...values]);
}

/**
 * Writes messages, set-based, that no job sends yet; answers their ids in order. Throws `TextError`
 * where the text of one cannot be sent as it is formatted.
 */
export async function insertMessages(
  tx: Transaction,
  messages: readonly NewMessage[],
  state: "queued" | "awaiting_approval",
): Promise<string[]> {
  const ids = messages.map(({ id }) => id ?? randomUUID());
  await write(tx, messages, { ids, jobIds: messages.map(() => null), state });
  return ids;
}

/** Columns that say what is written in a message; what somebody rewrote is no template's any more. */
const WRITTEN = ["text", "entities", "cuts", "buttons", "template", "template_version"];
const WRITING = COLUMNS.filter(([name]) => WRITTEN.includes(name));

const REWRITE = `/* outbound.rewrite */
UPDATE outbound_messages SET ${WRITING.map(([name, type], n) => `${name} = $${n + 3}::${type}`).join(", ")}
WHERE workspace_id = $1 AND id = $2 AND state = 'awaiting_approval'`;

/**
 * Gives a message that awaits approval another text, with all its buttons; `on` is the engine's.
 * Throws `TextError` as `insertMessages` does.
 */
export async function rewriteMessage(
  on: Queryable,
  message: NewMessage & { id: string },
): Promise<void> {
  const formatted = withText(message, formatMessage(message));
  const values = WRITING.map(([, , read]) => read(formatted));
  await on.query(REWRITE, [message.workspaceId, message.id, ...values]);
}

/** What of a message its job is made of. */
export type Sendable = Pick<
  NewMessage,
  | "workspaceId"
  | "connectorId"
  | "chatId"
  | "callbackQueryId"
  | "content"
  | "priority"
  | "sendAt"
  | "causeId"
  | "broadcastId"
> & { id: string };

async function enqueueJobs(
  tx: Transaction,
  jobs: JobSink,
  messages: readonly Sendable[],
): Promise<(JobId | null)[]> {
  const enqueued = await jobs.enqueueIn(
    tx,
    messages.map((message) => ({
      queue: "outbound",
      lane: message.connectorId,
      workspaceId: message.workspaceId,
      ...orderOf(message),
      priority: priorityOf(message),
      urgent: priorityOf(message) <= PRIORITY_NUMBERS.high,
      payload: {
        messageId: message.id,
        ...(bringsFiles(message.content) ? { files: true } : {}),
        ...(costOf(message.content) > 1 ? { cost: costOf(message.content) } : {}),
        ...(mayBePaid(message) ? { mayBePaid: costOf(message.content) } : {}),
      },
      runAt: message.sendAt,
      causeId: message.causeId,
    })),
  );
  return enqueued.map(({ id }) => id);
}

/** What people do with a message that waits finds its job by this. */
const NOTE_JOBS = `/* outbound.note-jobs */
UPDATE outbound_messages m SET job_id = t.job_id
FROM (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS t(workspace_id, id, job_id)
  ${fewRows("$1")}
) t
WHERE m.workspace_id = t.workspace_id AND m.id = t.id`;

/**
 * Enqueues the sending of messages that stand as queued, in the caller's transaction. Lanes of bots
 * are hot: call it last in a transaction.
 */
export async function enqueueSends(
  tx: Transaction,
  jobs: JobSink,
  messages: readonly Sendable[],
): Promise<void> {
  if (messages.length === 0) return;
  const jobIds = await enqueueJobs(tx, jobs, messages);
  await tx.engine.query(NOTE_JOBS, [
    messages.map(({ workspaceId }) => workspaceId),
    messages.map(({ id }) => id),
    jobIds,
  ]);
}

/**
 * Writes messages and their jobs in the caller's transaction, set-based; answers their ids in
 * order. Lanes of bots are hot: call it last in a transaction. The text stays in its own table;
 * the job carries the id only. The jobs come first, since a message keeps its job's id: written the
 * other way round, every row would be written twice.
 */
export async function submitMessages(
  tx: Transaction,
  jobs: JobSink,
  messages: readonly NewMessage[],
): Promise<{ id: string; state: "queued" }[]> {
  if (messages.length === 0) return [];
  const ids = messages.map(({ id }) => id ?? randomUUID());
  const sends = messages.map((message, n) => ({ ...message, id: ids[n] ?? "" }));
  const jobIds = await enqueueJobs(tx, jobs, sends);
  await write(tx, messages, { ids, jobIds, state: "queued" });
  return ids.map((id) => ({ id, state: "queued" }));
}

/** Of a broadcast, where the workspace pays for what exceeds the free rate, and the call takes it. */
const mayBePaid = ({ broadcastId, content }: Sendable): boolean =>
  broadcastId !== undefined && takesPayment(content);

/** As its row says it. What answers a query is no message of a chat. */
function kindOf({ callbackQueryId, content }: Pick<NewMessage, "callbackQueryId" | "content">) {
  if (callbackQueryId) return "callback-answer";
  return content?.type === "inline-answer" ? "inline-answer" : "message";
}

/** An answer to a button or a query, and a chat action, wait for nobody: each has a key of its own. */
function orderOf(message: Sendable): { kind: string; orderingKey: string } {
  if (message.callbackQueryId) {
    return { kind: "callback-answer", orderingKey: `callback/${message.id}` };
  }
  if (message.content?.type === "chat-action") {
    return { kind: "chat-action", orderingKey: `action/${message.id}` };
  }
  if (message.content?.type === "inline-answer") {
    return { kind: "inline-answer", orderingKey: `inline/${message.id}` };
  }
  return { kind: "message", orderingKey: message.chatId };
}

/** Those of a broadcast say the same: a text is read, and cut, once for all that follow each other. */
function withTexts(messages: readonly NewMessage[]): Formatted[] {
  let last: { of: NewMessage; whole: FormattedMessage } | null = null;
  return messages.map((message) => {
    const whole = last !== null && saysSame(last.of, message) ? last.whole : formatMessage(message);
    last = { of: message, whole };
    return withText(message, whole);
  });
}

const saysSame = (one: NewMessage, other: NewMessage): boolean =>
  one.text === other.text &&
  one.format === other.format &&
  one.entities === other.entities &&
  one.partLength === other.partLength;

/** What pops up over a pressed button has no parts; nor have captions, nor an edit's new text. */
function withText(message: NewMessage, { cuts, ...whole }: FormattedMessage): Formatted {
  const mayHaveParts = message.callbackQueryId === undefined && message.content === undefined;
  return { ...message, ...whole, cuts: mayHaveParts ? cuts : null };
}

function priorityOf(message: Pick<NewMessage, "callbackQueryId" | "priority">): number {
  return message.callbackQueryId ? 0 : PRIORITY_NUMBERS[message.priority ?? "medium"];
}

function defaultOnUnknown(priority: Priority | undefined): "resend" | "hold" {
  return priority === "critical" || priority === "high" ? "resend" : "hold";
}
