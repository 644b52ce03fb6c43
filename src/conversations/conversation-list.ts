import type { Queryable } from "../platform/index.ts";
import { isBigint, keyAfter, limitOf, type Page, type PageRequest, pageOf } from "./paging.ts";
import type { Media } from "./telegram-types.ts";

export interface ConversationView {
  id: string;
  connectorId: string;
  chatId: string;
  /** A forum's topic. */
  threadId?: string;
  contactId: string | null;
  status: "open" | "closed";
  lastMessageAt: string;
}

export interface MessageView {
  id: string;
  direction: "in" | "out";
  telegramMessageId: string;
  /** `text`, a kind of file, or what Telegram reports, e.g. `new_chat_members`. */
  kind: string;
  contactId: string | null;
  text?: string;
  editedAt?: string;
  media?: Media;
  mediaGroupId?: string;
  threadId?: string;
  replyToMessageId?: string;
  sentAt: string;
  receivedAt: string;
}

interface ConversationRow {
  id: string;
  connector_id: string;
  chat_id: string;
  thread_id: string;
  contact_id: string | null;
  status: "open" | "closed";
  last_message_at: Date;
}

/**
 * Newest first by id, not by last message: an index on that would make every message rewrite it.
 * `$4` is a group's id from before it became a supergroup as well as its present one.
 */
const LIST_CONVERSATIONS = `/* conversations.list */
SELECT id, connector_id, chat_id, thread_id, contact_id, status, last_message_at
FROM conversations
WHERE workspace_id = $1 AND ($2::bigint IS NULL OR id < $2)
  AND ($3::uuid IS NULL OR connector_id = $3)
  AND ($4::bigint IS NULL OR chat_id = $4 OR (connector_id, chat_id) IN (
    SELECT connector_id, migrated_to FROM chats WHERE workspace_id = $1 AND chat_id = $4))
ORDER BY id DESC LIMIT $5`;

/**
 * A workspace's conversations, newest first. A filter that is not an id matches nothing. Throws
 * `InvalidCursor`.
 */
export async function listConversations(
  db: Queryable,
  request: PageRequest & { workspaceId: string; connectorId?: string; chatId?: string },
): Promise<Page<ConversationView>> {
  const limit = limitOf(request);
  const before = keyAfter("conversations", request);
  const { workspaceId, connectorId, chatId } = request;
  if ((connectorId !== undefined && !isUuid(connectorId)) || (chatId && !isBigint(chatId))) {
    return { data: [], nextCursor: null };
  }
  const rows = await db.query<ConversationRow>(LIST_CONVERSATIONS, [
    workspaceId,
    before,
    connectorId ?? null,
    chatId ?? null,
    limit + 1,
  ]);
  return pageOf("conversations", rows, limit, conversationView, (row) => row.id);
}

function conversationView(row: ConversationRow): ConversationView {
  return {
    id: row.id,
    connectorId: row.connector_id,
    chatId: row.chat_id,
    ...(row.thread_id === "0" ? {} : { threadId: row.thread_id }),
    contactId: row.contact_id,
    status: row.status,
    lastMessageAt: row.last_message_at.toISOString(),
  };
}

interface MessageRow {
  id: string;
  direction: "in" | "out";
  telegram_message_id: string;
  kind: string;
  contact_id: string | null;
  text: string | null;
  media: Media | null;
  media_group_id: string | null;
  thread_id: string | null;
  reply_to_message_id: string | null;
  sent_at: Date;
  received_at: Date;
  edited_at: Date | null;
}

const CONVERSATION_EXISTS = `/* conversations.exists */
SELECT 1 FROM conversations WHERE workspace_id = $1 AND id = $2`;
const LIST_MESSAGES = `/* conversations.list-messages */
SELECT id, direction, telegram_message_id, kind, contact_id, text, media, media_group_id, thread_id,
  reply_to_message_id, sent_at, received_at, edited_at
FROM messages
WHERE workspace_id = $1 AND conversation_id = $2 AND ($3::bigint IS NULL OR id > $3)
ORDER BY id LIMIT $4`;

/**
 * A conversation's messages in the order their effects took place; null when the workspace has no
 * such conversation. Throws `InvalidCursor`.
 */
export async function listMessages(
  db: Queryable,
  request: PageRequest & { workspaceId: string; conversationId: string },
): Promise<Page<MessageView> | null> {
  const limit = limitOf(request);
  const { workspaceId, conversationId } = request;
  if (!isBigint(conversationId)) return null;
  const after = keyAfter("messages", request);
  const found = await db.query(CONVERSATION_EXISTS, [workspaceId, conversationId]);
  if (found.length === 0) return null;
  const rows = await db.query<MessageRow>(LIST_MESSAGES, [
    workspaceId,
    conversationId,
    after,
    limit + 1,
  ]);
  return pageOf("messages", rows, limit, messageView, (row) => row.id);
}

function messageView(row: MessageRow): MessageView {
  return {
    id: row.id,
    direction: row.direction,
    telegramMessageId: row.telegram_message_id,
    kind: row.kind,
    contactId: row.contact_id,
    ...(row.text === null ? {} : { text: row.text }),
    ...(row.edited_at === null ? {} : { editedAt: row.edited_at.toISOString() }),
    ...(row.media === null ? {} : { media: row.media }),
    ...(row.media_group_id === null ? {} : { mediaGroupId: row.media_group_id }),
    ...(row.thread_id === null ? {} : { threadId: row.thread_id }),
    ...(row.reply_to_message_id === null ? {} : { replyToMessageId: row.reply_to_message_id }),
    sentAt: row.sent_at.toISOString(),
    receivedAt: row.received_at.toISOString(),
  };
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}
