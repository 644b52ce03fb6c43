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
  /** The workspace's own words for it, by which broadcasts choose. */
  tags: string[];
  /** False: it wants none. */
  broadcastsAllowed: boolean;
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
  tags: string[];
  broadcasts_allowed: boolean;
}

/** Of `chats c`. */
export const CHAT_COLUMNS = `c.chat_id, c.type, c.title, c.username, c.is_forum, c.linked, c.purpose,
  c.reachable, ARRAY(
    SELECT g.tag FROM chat_tags g WHERE g.workspace_id = c.workspace_id
      AND g.connector_id = c.connector_id AND g.chat_id = c.chat_id ORDER BY g.tag
  ) AS tags, NOT EXISTS (
    SELECT FROM broadcast_opt_outs o WHERE o.workspace_id = c.workspace_id
      AND o.connector_id = c.connector_id AND o.chat_id = c.chat_id OFFSET 0
  ) AS broadcasts_allowed`;

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
    tags: row.tags,
    broadcastsAllowed: row.broadcasts_allowed,
  };
}

/** A group that became a supergroup is listed under its new id alone. */
const LIST = `/* conversations.list-chats */
SELECT ${CHAT_COLUMNS} FROM chats c
WHERE c.workspace_id = $1 AND c.connector_id = $2 AND c.migrated_to IS NULL
  AND ($3::bigint IS NULL OR c.chat_id > $3)
ORDER BY c.chat_id LIMIT $4`;

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
