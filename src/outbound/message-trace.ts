import type { Queryable } from "../platform/index.ts";
import type { MessageState } from "./new-message.ts";

/**
 * Where a message to be sent stands and where it went: ids and states. Never its text, nor what
 * Telegram said of it, which may quote the text.
 */
export interface MessageTrace {
  messageId: string;
  connectorId: string;
  chatId: string;
  state: MessageState;
  telegramMessageIds: string[];
  errorClass: string | null;
}

const TRACE = `/* outbound.message-trace */
SELECT id AS "messageId", connector_id AS "connectorId", chat_id AS "chatId", state,
  telegram_message_ids AS "telegramMessageIds", error_class AS "errorClass"
FROM outbound_messages WHERE workspace_id = $1 AND id = $2`;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Null when there is no such message. */
export async function traceMessage(
  db: Queryable,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<MessageTrace | null> {
  if (!UUID.test(id)) return null;
  const [row] = await db.query<MessageTrace>(TRACE, [workspaceId, id]);
  return row ?? null;
}
