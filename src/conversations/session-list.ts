import type { Queryable } from "../platform/index.ts";
import { isBigint, keyAfter, limitOf, type Page, type PageRequest, pageOf } from "./paging.ts";
import type { EndReason } from "./session-rule.ts";

export interface SessionView {
  id: string;
  conversationId: string;
  connectorId: string;
  chatId: string;
  contactId: string | null;
  startedAt: string;
  /** Of the person's newest message in it. */
  lastMessageAt: string;
  /** Null: it is open. One that is over is so a moment before its end is written down. */
  endedAt: string | null;
  endReason: EndReason | null;
}

interface SessionRow {
  id: string;
  conversation_id: string;
  connector_id: string;
  chat_id: string;
  contact_id: string | null;
  started_at: Date;
  last_at: Date;
  ended_at: Date | null;
  end_reason: EndReason | null;
}

const CONVERSATION = `/* sessions.conversation */
SELECT 1 AS one FROM conversations
WHERE workspace_id = $1 AND id = $2`;

const LIST = `/* sessions.list */
SELECT s.id, s.conversation_id, c.connector_id, c.chat_id, c.contact_id, s.started_at,
  coalesce(s.last_at, c.session_last_at, s.started_at) AS last_at, s.ended_at, s.end_reason
FROM (
  SELECT * FROM sessions
  WHERE workspace_id = $1 AND conversation_id = $2 AND ($3::bigint IS NULL OR id < $3)
  ORDER BY id DESC LIMIT $4
) s
JOIN conversations c ON c.workspace_id = s.workspace_id AND c.id = s.conversation_id
ORDER BY s.id DESC`;

/**
 * A conversation's sessions, the newest first; null when the workspace has no such conversation.
 * Throws `InvalidCursor`.
 */
export async function listSessions(
  db: Queryable,
  request: PageRequest & { workspaceId: string; conversationId: string },
): Promise<Page<SessionView> | null> {
  const limit = limitOf(request);
  const { workspaceId, conversationId } = request;
  if (!isBigint(conversationId)) return null;
  const before = keyAfter("sessions", request);
  const key = [workspaceId, conversationId];
  if ((await db.query(CONVERSATION, key)).length === 0) return null;
  const rows = await db.query<SessionRow>(LIST, [...key, before, limit + 1]);
  return pageOf("sessions", rows, limit, sessionView, (row) => row.id);
}

function sessionView(row: SessionRow): SessionView {
  return {
    id: row.id,
    conversationId: row.conversation_id,
    connectorId: row.connector_id,
    chatId: row.chat_id,
    contactId: row.contact_id,
    startedAt: row.started_at.toISOString(),
    lastMessageAt: row.last_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
    endReason: row.end_reason,
  };
}
