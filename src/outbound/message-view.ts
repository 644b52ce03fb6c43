import type { Queryable } from "../platform/index.ts";
import { type DeletionView, deletionOf, undeletable } from "./content/index.ts";
import { adviceFor } from "./failure-advice.ts";
import { type MessageState, type Priority, priorityNamed } from "./new-message.ts";

/** What became of a message, without what it says. Times are ISO 8601. */
export interface MessageView {
  id: string;
  connectorId: string;
  chatId: string;
  state: MessageState;
  priority: Priority;
  attempts: number;
  telegramMessageIds: string[];
  /** Of a text that goes out in parts. */
  parts?: { sent: number; total: number };
  createdAt: string;
  /** When it is to be sent, if not at once. */
  sendAt?: string;
  /** Not sent any more from then on. */
  expiresAt?: string;
  sentAt?: string;
  /** What happened; of a message that was sent: a note. */
  error?: string;
  errorClass?: string;
  /** What can be done about it. */
  advice?: string;
  /** Of a notice that vanishes, once it has been sent. */
  deletion?: DeletionView;
  /** Which its text was made of; version 0 is a built-in one. */
  template?: { name: string; version: number };
}

export interface MessageViewRow {
  id: string;
  connector_id: string;
  chat_id: string;
  state: MessageState;
  priority: number;
  attempts: number;
  telegram_message_ids: string[];
  parts_sent: number;
  /** Null: it goes out as it is. */
  parts: number | null;
  created_at: Date;
  send_at: Date | null;
  expires_at: Date | null;
  sent_at: Date | null;
  error: string | null;
  error_class: string | null;
  template: string | null;
  template_version: number | null;
}

/** Of `outbound_messages m`. */
export const VIEW_COLUMNS = `m.id, m.connector_id, m.chat_id, m.state, m.priority, m.attempts,
  m.telegram_message_ids, m.parts_sent, jsonb_array_length(m.cuts) AS parts, m.created_at, m.send_at, m.expires_at, m.sent_at, m.error, m.error_class,
  m.template, m.template_version`;

export function messageView(row: MessageViewRow): MessageView {
  const { send_at, expires_at, sent_at, error, error_class } = row;
  const { template: name, template_version: version } = row;
  const advice = adviceFor(error_class);
  return {
    id: row.id,
    connectorId: row.connector_id,
    chatId: row.chat_id,
    state: row.state,
    priority: priorityNamed(row.priority),
    attempts: row.attempts,
    telegramMessageIds: row.telegram_message_ids,
    ...(row.parts === null ? {} : { parts: { sent: row.parts_sent, total: row.parts } }),
    createdAt: row.created_at.toISOString(),
    ...(send_at === null ? {} : { sendAt: send_at.toISOString() }),
    ...(expires_at === null ? {} : { expiresAt: expires_at.toISOString() }),
    ...(sent_at === null ? {} : { sentAt: sent_at.toISOString() }),
    ...(error === null ? {} : { error }),
    ...(error_class === null ? {} : { errorClass: error_class }),
    ...(advice === null ? {} : { advice }),
    ...(name === null || version === null ? {} : { template: { name, version } }),
  };
}

const GET = `/* outbound.message */
SELECT ${VIEW_COLUMNS}, m.delete_after_s FROM outbound_messages m
WHERE m.workspace_id = $1 AND m.id = $2 AND m.kind = 'message'`;

/** A message as its workspace sees it; null when there is none. */
export async function getMessage(
  on: Queryable,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<MessageView | null> {
  type Row = MessageViewRow & { delete_after_s: number | null };
  const [row] = await on.query<Row>(GET, [workspaceId, id]);
  if (row === undefined) return null;
  const { delete_after_s: afterS, sent_at: sentAt } = row;
  if (afterS === null) return messageView(row);
  const isNumberless = row.state === "sent" && row.telegram_message_ids.length === 0;
  const deletion =
    (await deletionOf(on, { workspaceId, id })) ??
    (isNumberless && sentAt !== null ? undeletable(sentAt, afterS) : null);
  return { ...messageView(row), ...(deletion === null ? {} : { deletion }) };
}
