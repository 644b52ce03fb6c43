import type { Queryable } from "../platform/index.ts";
import type { ChatPurpose } from "./chat-links.ts";
import type { Scope } from "./effects.ts";
import { keyAfter, limitOf, type Page, type PageRequest, pageOf } from "./paging.ts";
import type { ChatType } from "./telegram-types.ts";

export interface ChatView {
  chatId: string;
  /** Null until an update told. */
  type: ChatType | null;
  title: string | null;
  username: string | null;
  isForum: boolean;
  linked: boolean;
  purpose: ChatPurpose | null;
  reachable: boolean;
}

export interface ChatRow {
  chat_id: string;
  type: ChatType | null;
  title: string | null;
  username: string | null;
  is_forum: boolean;
  linked: boolean;
  purpose: ChatPurpose | null;
  reachable: boolean;
}

export function chatView(row: ChatRow): ChatView {
  return {
    chatId: row.chat_id,
    type: row.type,
    title: row.title,
    username: row.username,
    isForum: row.is_forum,
    linked: row.linked,
    purpose: row.purpose,
    reachable: row.reachable,
  };
}

/** A group that became a supergroup is listed under its new id alone. */
const LIST = `/* conversations.list-chats */
SELECT chat_id, type, title, username, is_forum, linked, purpose, reachable FROM chats
WHERE workspace_id = $1 AND connector_id = $2 AND migrated_to IS NULL
  AND ($3::bigint IS NULL OR chat_id > $3)
ORDER BY chat_id LIMIT $4`;

/** The chats a connector knows, by id. Throws `InvalidCursor`. */
export async function listChats(
  db: Queryable,
  request: Scope & PageRequest,
): Promise<Page<ChatView>> {
  const limit = limitOf(request);
  const after = keyAfter("chats", request);
  const rows = await db.query<ChatRow>(LIST, [
    request.workspaceId,
    request.connectorId,
    after,
    limit + 1,
  ]);
  return pageOf("chats", rows, limit, chatView, (row) => row.chat_id);
}
