import { recordAudit } from "../audit/index.ts";
import type { Transaction } from "../platform/index.ts";
import type { Scope } from "./effects.ts";

/**
 * Holds the chat, so that of two who tag it at once one comes after the other. An old id is meant for
 * the group as it is now.
 */
const HOLD = `/* conversations.hold-tagged */
SELECT c.chat_id FROM chats c
WHERE c.workspace_id = $1 AND c.connector_id = $2 AND c.chat_id = (
  SELECT coalesce(old.migrated_to, old.chat_id) FROM chats old
  WHERE old.workspace_id = $1 AND old.connector_id = $2 AND old.chat_id = $3)
FOR NO KEY UPDATE OF c`;

const REMOVE_OTHERS = `/* conversations.remove-tags */
DELETE FROM chat_tags
WHERE workspace_id = $1 AND connector_id = $2 AND chat_id = $3 AND tag <> ALL ($4::text[])`;

const ADD = `/* conversations.add-tags */
INSERT INTO chat_tags (workspace_id, connector_id, chat_id, tag)
SELECT DISTINCT $1::uuid, $2::uuid, $3::bigint, tag FROM unnest($4::text[]) AS tag
ON CONFLICT DO NOTHING`;

/**
 * Gives a chat these tags and no others, with an entry in the audit log; what the workspace's words are
 * is not in it. False when the connector knows no such chat.
 */
export async function setChatTags(
  tx: Transaction,
  chat: Scope & { chatId: string; tags: readonly string[] },
): Promise<boolean> {
  const { workspaceId, connectorId, tags } = chat;
  const [held] = await tx.query<{ chat_id: string }>(HOLD, [workspaceId, connectorId, chat.chatId]);
  if (held === undefined) return false;
  const chatId = held.chat_id;
  const key = [workspaceId, connectorId, chatId];
  await tx.query(REMOVE_OTHERS, [...key, tags]);
  await tx.query(ADD, [...key, tags]);
  const details = { connectorId, count: tags.length };
  await recordAudit(tx, { workspaceId, action: "chat.tagged", subjectId: chatId, details });
  return true;
}
