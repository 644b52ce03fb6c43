import type { Scope } from "../../src/conversations/effects.ts";
import type { Queryable } from "../../src/platform/index.ts";

/** Messages are in the order of their effects, the rest in an order that is always the same. */
const QUERIES = [
  `SELECT chat_id, type, title, is_forum, linked, purpose, reachable, reachable_at, migrated_to,
       migrated_from FROM chats WHERE workspace_id = $1 ORDER BY chat_id`,
  `SELECT telegram_user_id, first_name FROM contacts WHERE workspace_id = $1 ORDER BY 1`,
  `SELECT c.chat_id, c.thread_id, c.business_connection_id, c.last_message_at, c.acknowledged_at,
       c.status, c.waiting_since, c.opened_at, c.first_responded_at, c.reopens, c.customer_at,
       c.customer_message, c.team_at, c.team_message, p.telegram_user_id FROM conversations c
     LEFT JOIN contacts p ON p.workspace_id = c.workspace_id AND p.id = c.contact_id
     WHERE c.workspace_id = $1 ORDER BY 1, 2, 3`,
  `SELECT c.chat_id AS conversation, m.chat_id, m.telegram_message_id, m.business_connection_id,
       m.kind, m.text, m.edited_at, m.service, m.poll_id, m.pinned_at, m.deleted_at, m.direction,
       p.telegram_user_id FROM messages m
     JOIN conversations c ON c.workspace_id = m.workspace_id AND c.id = m.conversation_id
     LEFT JOIN contacts p ON p.workspace_id = m.workspace_id AND p.id = m.contact_id
     WHERE m.workspace_id = $1 ORDER BY m.id`,
  `SELECT m.chat_id, m.telegram_message_id, m.business_connection_id, e.version_at, e.text
     FROM message_edits e JOIN messages m ON m.workspace_id = e.workspace_id AND m.id = e.message_id
     WHERE e.workspace_id = $1 ORDER BY 1, 2, 3, 4, 5`,
  `SELECT chat_id, telegram_user_id, status, since FROM members
     WHERE workspace_id = $1 ORDER BY 1, 2`,
  `SELECT chat_id, telegram_message_id, actor_id, reactions, reacted_at
     FROM message_reactions WHERE workspace_id = $1 ORDER BY 1, 2, 3`,
  `SELECT chat_id, thread_id, name, named_at, closed, closed_at, hidden FROM topics
     WHERE workspace_id = $1 ORDER BY 1, 2`,
  `SELECT poll_id, question, options, votes, voters, closed FROM polls
     WHERE workspace_id = $1 ORDER BY 1`,
  "SELECT poll_id, voter_id, options FROM poll_answers WHERE workspace_id = $1 ORDER BY 1, 2",
  "SELECT chat_id FROM broadcast_opt_outs WHERE workspace_id = $1 ORDER BY 1",
  "SELECT id, telegram_user_id, enabled FROM business_connections WHERE workspace_id = $1",
  `SELECT c.chat_id, s.started_at, s.last_at, s.ended_at, c.session_last_at, c.session_ended_at,
       c.denied FROM sessions s
     JOIN conversations c ON c.workspace_id = s.workspace_id AND c.id = s.conversation_id
     WHERE s.workspace_id = $1 ORDER BY c.chat_id, c.thread_id, s.id`,
];

/** Everything that ingesting wrote for a workspace, a list a table, without ids and times of writing. */
export async function contentsOf(
  db: Queryable,
  { workspaceId }: Scope,
): Promise<Array<Array<Record<string, unknown>>>> {
  return Promise.all(QUERIES.map((sql) => db.query(sql, [workspaceId])));
}
