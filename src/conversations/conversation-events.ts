import type { Queryable } from "../platform/index.ts";
import { hasConversation } from "./conversation-view.ts";
import { isBigint, keyAfter, limitOf, type Page, type PageRequest, pageOf } from "./paging.ts";

/** A change of whose turn it was, of who looks after it, or a first response. */
export interface ConversationEvent {
  id: string;
  what: "status" | "assignee" | "snoozedUntil" | "firstResponse";
  from: string | null;
  to: string | null;
  by: {
    /** `customer`, `team` (what was said), `system` (a snooze is over), or as in the audit log. */
    kind: string | null;
    /** A contact's or a key's id. */
    id: string | null;
  };
  at: string;
  /** Of a first response and of a close: since the opening began. */
  elapsedMs?: number;
}

interface EventRow {
  id: string;
  what: "status" | "assignee" | "snoozed_until" | "first_response";
  from_value: string | null;
  to_value: string | null;
  actor_kind: string | null;
  actor: string | null;
  elapsed_ms: string | null;
  at: Date;
}

const NAMES = {
  status: "status",
  assignee: "assignee",
  snoozed_until: "snoozedUntil",
  first_response: "firstResponse",
} as const;

const LIST = `/* conversations.list-events */
SELECT id, what, from_value, to_value, actor_kind, actor, elapsed_ms, at
FROM conversation_events
WHERE workspace_id = $1 AND conversation_id = $2 AND ($3::bigint IS NULL OR id > $3)
ORDER BY id LIMIT $4`;

/**
 * What happened to a conversation, the oldest first; null when the workspace has no such
 * conversation. Throws `InvalidCursor`.
 */
export async function listConversationEvents(
  db: Queryable,
  request: PageRequest & { workspaceId: string; conversationId: string },
): Promise<Page<ConversationEvent> | null> {
  const limit = limitOf(request);
  const { workspaceId, conversationId } = request;
  if (!isBigint(conversationId)) return null;
  const after = keyAfter("conversation-events", request);
  if (!(await hasConversation(db, { workspaceId, id: conversationId }))) return null;
  const rows = await db.query<EventRow>(LIST, [workspaceId, conversationId, after, limit + 1]);
  return pageOf("conversation-events", rows, limit, eventView, (row) => row.id);
}

const eventView = (row: EventRow): ConversationEvent => ({
  id: row.id,
  what: NAMES[row.what],
  from: row.from_value,
  to: row.to_value,
  by: { kind: row.actor_kind, id: row.actor },
  at: row.at.toISOString(),
  ...(row.elapsed_ms === null ? {} : { elapsedMs: Number(row.elapsed_ms) }),
});
