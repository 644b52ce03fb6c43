import { recordAudit } from "../audit/index.ts";
import type { Queryable } from "../platform/index.ts";
import { CHAT_COLUMNS, type ChatRow, type ChatView, chatView } from "./chat-list.ts";
import type { Scope } from "./effects.ts";
import { isoOfS } from "./write-chats.ts";

export const CHAT_PURPOSES = ["support", "compliance"] as const;
export type ChatPurpose = (typeof CHAT_PURPOSES)[number];

/** A late update may still carry the id a group had before it became a supergroup. */
const LINKED = `/* conversations.linked */
SELECT c.connector_id, c.chat_id
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS k(workspace_id, connector_id, chat_id)
JOIN chats c USING (workspace_id, connector_id, chat_id)
LEFT JOIN chats successor ON successor.workspace_id = c.workspace_id
  AND successor.connector_id = c.connector_id AND successor.chat_id = c.migrated_to
WHERE coalesce(successor.linked, c.linked)`;

/**
 * Which of the chats somebody linked, as keys `connectorId/chatId`. Private chats need no link
 * (`needsLink`) and are not asked for.
 */
export async function linkedChats(
  db: Queryable,
  chats: ReadonlyArray<Scope & { chatId: string }>,
): Promise<Set<string>> {
  if (chats.length === 0) return new Set();
  const rows = await db.query<{ connector_id: string; chat_id: string }>(LINKED, [
    chats.map((chat) => chat.workspaceId),
    chats.map((chat) => chat.connectorId),
    chats.map((chat) => chat.chatId),
  ]);
  return new Set(rows.map((row) => `${row.connector_id}/${row.chat_id}`));
}

export type LinkedChat = Pick<ChatView, "chatId" | "type" | "title">;

const LIST_LINKED = `/* conversations.list-linked */
SELECT chat_id AS "chatId", type, title FROM chats
WHERE workspace_id = $1 AND connector_id = $2 AND linked AND migrated_to IS NULL
ORDER BY updated_at DESC, chat_id LIMIT $3`;

/** A connector's linked chats, those that changed last first; `more`: there are others. */
export async function listLinkedChats(
  db: Queryable,
  { workspaceId, connectorId }: Scope,
  limit: number,
): Promise<{ chats: LinkedChat[]; more: boolean }> {
  const rows = await db.query<LinkedChat>(LIST_LINKED, [workspaceId, connectorId, limit + 1]);
  return { chats: rows.slice(0, limit), more: rows.length > limit };
}

const LIST_LOST = `/* conversations.list-lost */
SELECT chat_id AS "chatId", type, title FROM chats
WHERE workspace_id = $1 AND connector_id = $2 AND linked AND NOT reachable AND migrated_to IS NULL
ORDER BY chat_id LIMIT $3`;

/** Linked chats that the bot was put out of, or may not write in. */
export function listLostChats(
  db: Queryable,
  { workspaceId, connectorId }: Scope,
  limit: number,
): Promise<LinkedChat[]> {
  return db.query<LinkedChat>(LIST_LOST, [workspaceId, connectorId, limit]);
}

/** A link given to an old id is meant for the group as it is now. */
const SET_LINK = `/* conversations.set-link */
INSERT INTO chats AS c (workspace_id, connector_id, chat_id, linked, purpose)
SELECT $1, $2, coalesce((
    SELECT old.migrated_to FROM chats old
    WHERE old.workspace_id = $1 AND old.connector_id = $2 AND old.chat_id = $3
  ), $3), $4, $5
ON CONFLICT (workspace_id, connector_id, chat_id) DO UPDATE SET
  linked = excluded.linked,
  purpose = CASE WHEN $6 THEN excluded.purpose ELSE c.purpose END,
  updated_at = now()
RETURNING ${CHAT_COLUMNS}`;

/**
 * Links a chat, or ends its link; messages of unlinked groups are not stored. The chat need not be
 * known yet. `purpose` undefined leaves it as it is. `personId`: who did it in the chat itself. Called in a transaction, which holds the entry
 * in the audit log too. Throws Postgres's foreign key error (23503) when the workspace has no such
 * connector.
 */
export async function setChatLink(
  tx: Queryable,
  link: Scope & {
    chatId: string;
    linked: boolean;
    purpose?: ChatPurpose | null;
    personId?: string;
  },
): Promise<ChatView> {
  const { workspaceId, connectorId, purpose, personId } = link;
  const [row] = await tx.query<ChatRow>(SET_LINK, [
    workspaceId,
    connectorId,
    link.chatId,
    link.linked,
    purpose ?? null,
    purpose !== undefined,
  ]);
  if (row === undefined) throw new Error("an upsert without a condition gave no row");
  const chat = chatView(row);
  await recordAudit(tx, {
    workspaceId,
    action: link.linked ? "chat.linked" : "chat.unlinked",
    subjectId: chat.chatId,
    details: { connectorId, purpose, personId },
  });
  return chat;
}

const UNREACHABLE = `/* conversations.unreachable */
INSERT INTO chats AS c (workspace_id, connector_id, chat_id, reachable)
SELECT DISTINCT workspace_id, connector_id, chat_id, false
FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS k(workspace_id, connector_id, chat_id)
ORDER BY 1, 2, 3
ON CONFLICT (workspace_id, connector_id, chat_id) DO UPDATE
  SET reachable = false, updated_at = now() WHERE c.reachable`;

/**
 * Telegram refused to deliver there (blocked, kicked, gone). The bot's own `my_chat_member` revives a
 * chat, and a message that arrives (`markReachable`); their dates are not compared with this moment,
 * because two clocks that disagree must not leave a chat dead for ever.
 */
export async function markUnreachable(
  tx: Queryable,
  chats: ReadonlyArray<Scope & { chatId: string }>,
): Promise<void> {
  if (chats.length === 0) return;
  await tx.query(UNREACHABLE, [
    chats.map((chat) => chat.workspaceId),
    chats.map((chat) => chat.connectorId),
    chats.map((chat) => chat.chatId),
  ]);
}

const REACHABLE = `/* conversations.reachable */
WITH revived AS MATERIALIZED (
  SELECT c.workspace_id, c.connector_id, c.chat_id, k.at
  FROM (
    SELECT workspace_id, connector_id, chat_id, max(at) AS at
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[])
      AS t(workspace_id, connector_id, chat_id, at)
    GROUP BY workspace_id, connector_id, chat_id
  ) k
  JOIN chats c USING (workspace_id, connector_id, chat_id)
  WHERE NOT c.reachable AND coalesce(k.at > c.reachable_at, true)
  ORDER BY 1, 2, 3 FOR NO KEY UPDATE OF c
)
UPDATE chats c SET reachable = true, reachable_at = coalesce(r.at, c.reachable_at),
  updated_at = now()
FROM revived r
WHERE c.workspace_id = r.workspace_id AND c.connector_id = r.connector_id AND c.chat_id = r.chat_id`;

/**
 * Telegram delivered there, at `atS` by its own clock (null: it did not say): a chat that was marked as
 * unreachable is not, unless Telegram has told since that the bot may not write there.
 */
export async function markReachable(
  tx: Queryable,
  chats: ReadonlyArray<Scope & { chatId: string; atS: number | null }>,
): Promise<void> {
  if (chats.length === 0) return;
  await tx.query(REACHABLE, [
    chats.map((chat) => chat.workspaceId),
    chats.map((chat) => chat.connectorId),
    chats.map((chat) => chat.chatId),
    chats.map(({ atS }) => (atS === null ? null : isoOfS(atS))),
  ]);
}
