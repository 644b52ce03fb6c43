import type { Queryable } from "../platform/index.ts";
import { isBigint } from "./paging.ts";
import type { Media } from "./telegram-types.ts";

/** What is known of the file of a message; its content is at Telegram. */
export interface FileOfMessage {
  connectorId: string;
  telegramMessageId: string;
  /** Null: it has none. */
  media: Media | null;
}

const FIND = `/* conversations.message-file */
SELECT connector_id AS "connectorId", telegram_message_id AS "telegramMessageId", media
FROM messages WHERE workspace_id = $1 AND id = $2 AND conversation_id = $3`;

/** Null: the workspace has no such message in this conversation. */
export async function findFileOfMessage(
  on: Queryable,
  { workspaceId, conversationId, id }: { workspaceId: string; conversationId: string; id: string },
): Promise<FileOfMessage | null> {
  if (!isBigint(conversationId) || !isBigint(id)) return null;
  const [found] = await on.query<FileOfMessage>(FIND, [workspaceId, id, conversationId]);
  return found ?? null;
}
