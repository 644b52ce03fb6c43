import type { Queryable } from "../platform/index.ts";
import { isBigint, keyAfter, limitOf, type Page, type PageRequest, pageOf } from "./paging.ts";

export interface ConversationView {
  id: string;
  connectorId: string;
  chatId: string;
  /** A forum's topic. */
  threadId?: string;
  topic?: TopicView;
  /** A business account's conversation: the account's connection to the bot. */
  businessConnectionId?: string;
  contactId: string | null;
  status: "open" | "closed";
  lastMessageAt: string;
}

/** What Telegram told of a topic; what it did not is absent. */
export interface TopicView {
  name?: string;
  closed?: boolean;
  hidden?: boolean;
}

interface ConversationRow {
  id: string;
  connector_id: string;
  chat_id: string;
  thread_id: string;
  business_connection_id: string;
  topic_name: string | null;
  topic_closed: boolean | null;
  topic_hidden: boolean | null;
  contact_id: string | null;
  status: "open" | "closed";
  last_message_at: Date;
}

/**
 * Newest first by id, not by last message: an index on that would make every message rewrite it.
 * `$4` is a group's id from before it became a supergroup as well as its present one.
 */
const LIST_CONVERSATIONS = `/* conversations.list */
SELECT c.*, t.name AS topic_name, t.closed AS topic_closed, t.hidden AS topic_hidden
FROM (
  SELECT workspace_id, id, connector_id, chat_id, thread_id, business_connection_id, contact_id,
    status, last_message_at
  FROM conversations
  WHERE workspace_id = $1 AND ($2::bigint IS NULL OR id < $2)
    AND ($3::uuid IS NULL OR connector_id = $3)
    AND ($4::bigint IS NULL OR chat_id = $4 OR (connector_id, chat_id) IN (
      SELECT connector_id, migrated_to FROM chats WHERE workspace_id = $1 AND chat_id = $4))
  ORDER BY id DESC LIMIT $5
) c
LEFT JOIN topics t USING (workspace_id, connector_id, chat_id, thread_id)
ORDER BY c.id DESC`;

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
    ...topicView(row),
    ...(row.business_connection_id === ""
      ? {}
      : { businessConnectionId: row.business_connection_id }),
    contactId: row.contact_id,
    status: row.status,
    lastMessageAt: row.last_message_at.toISOString(),
  };
}

function topicView(row: ConversationRow): { topic?: TopicView } {
  const topic = {
    ...(row.topic_name === null ? {} : { name: row.topic_name }),
    ...(row.topic_closed === null ? {} : { closed: row.topic_closed }),
    ...(row.topic_hidden === null ? {} : { hidden: row.topic_hidden }),
  };
  return Object.keys(topic).length === 0 ? {} : { topic };
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}
