import type { Queryable } from "../platform/index.ts";
import { hasConversation } from "./conversation-view.ts";
import { isBigint, keyAfter, limitOf, type Page, type PageRequest, pageOf } from "./paging.ts";
import type { Media, Reaction, Service } from "./telegram-types.ts";

export interface PollView {
  id: string;
  question: string;
  options: Array<{ text: string; votes: number }>;
  voters: number;
  closed: boolean;
}

export interface MessageView {
  id: string;
  direction: "in" | "out";
  telegramMessageId: string;
  /** `text`, a kind of file, `service` for what Telegram reports, or what else it is. */
  kind: string;
  contactId: string | null;
  text?: string;
  editedAt?: string;
  media?: Media;
  /** What Telegram reports, e.g. `{type: "new_chat_title", title: "Audit"}`. */
  service?: Service;
  poll?: PollView;
  /** The most frequent first, each with how many. */
  reactions?: Array<Reaction & { count: number }>;
  pinnedAt?: string;
  /** Its writer may not talk to this bot, and the connector keeps what such people say. */
  denied?: true;
  /** When we deleted it, or heard that it was deleted (business messages only). */
  deletedAt?: string;
  mediaGroupId?: string;
  threadId?: string;
  replyToMessageId?: string;
  sentAt: string;
  receivedAt: string;
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
  service: Service | null;
  question: string | null;
  poll_id: string | null;
  options: string[] | null;
  votes: number[] | null;
  voters: string | null;
  closed: boolean | null;
  reactions: Array<Reaction & { count: number }> | null;
  pinned_at: Date | null;
  deleted_at: Date | null;
  denied: boolean;
  sent_at: Date;
  received_at: Date;
  edited_at: Date | null;
}

const LIST_MESSAGES = `/* conversations.list-messages */
SELECT m.id, m.direction, m.telegram_message_id, m.kind, m.contact_id, m.text, m.media,
  m.media_group_id, m.thread_id, m.reply_to_message_id, m.sent_at, m.received_at, m.edited_at,
  m.service, m.pinned_at, m.deleted_at, m.denied, m.poll_id, p.question, p.options, p.votes, p.voters,
  p.closed, r.reactions
FROM (
  SELECT * FROM messages
  WHERE workspace_id = $1 AND conversation_id = $2 AND ($3::bigint IS NULL OR id > $3)
  ORDER BY id LIMIT $4
) m
LEFT JOIN polls p USING (workspace_id, connector_id, poll_id)
LEFT JOIN LATERAL (
  SELECT json_agg(each.reaction || jsonb_build_object('count', each.count)
    ORDER BY each.count DESC, each.reaction) AS reactions
  FROM (
    SELECT one - 'count' AS reaction, sum(coalesce((one ->> 'count')::bigint, 1)) AS count
    FROM message_reactions a, jsonb_array_elements(a.reactions) one
    WHERE a.workspace_id = m.workspace_id AND a.connector_id = m.connector_id
      AND a.chat_id = m.chat_id AND a.telegram_message_id = m.telegram_message_id
      AND m.business_connection_id = ''
    GROUP BY 1
  ) each
) r ON true
ORDER BY m.id`;

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
  if (!(await hasConversation(db, { workspaceId, id: conversationId }))) return null;
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
    ...(row.service === null ? {} : { service: row.service }),
    ...pollView(row),
    ...(row.reactions === null ? {} : { reactions: row.reactions }),
    ...(row.denied ? { denied: true } : {}),
    ...(row.pinned_at === null ? {} : { pinnedAt: row.pinned_at.toISOString() }),
    ...(row.deleted_at === null ? {} : { deletedAt: row.deleted_at.toISOString() }),
    ...(row.media_group_id === null ? {} : { mediaGroupId: row.media_group_id }),
    ...(row.thread_id === null ? {} : { threadId: row.thread_id }),
    ...(row.reply_to_message_id === null ? {} : { replyToMessageId: row.reply_to_message_id }),
    sentAt: row.sent_at.toISOString(),
    receivedAt: row.received_at.toISOString(),
  };
}

function pollView(row: MessageRow): { poll?: PollView } {
  const { poll_id: id, question, options, votes } = row;
  if (id === null || question === null) return {};
  return {
    poll: {
      id,
      question,
      options: (options ?? []).map((text, n) => ({ text, votes: votes?.[n] ?? 0 })),
      voters: Number(row.voters),
      closed: row.closed === true,
    },
  };
}
