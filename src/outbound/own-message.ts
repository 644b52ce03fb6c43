import type { Queryable } from "../platform/index.ts";
import type { Button } from "./new-message.ts";

/** As it was first shown. Whatever sent it by itself: what somebody submitted is theirs. */
const BUTTONS = `/* outbound.buttons-shown */
SELECT buttons FROM outbound_messages
WHERE workspace_id = $1 AND id = $2 AND connector_id = $3 AND chat_id = $4 AND kind = 'message'
  AND automatic AND submitted_by IS NULL AND target_id IS NULL
  AND (telegram_message_ids = '{}' OR $5 = ANY (telegram_message_ids))`;

export interface PressedMessage {
  workspaceId: string;
  connectorId: string;
  chatId: string;
  /** Of its row. */
  id: string;
  /** Telegram's number of the message that was pressed. */
  telegramMessageId: string;
}

/**
 * The buttons that the bot's own message was sent with to this chat; null where that is no message of its
 * own, or not the one that was pressed. Right after it was sent its number may not be known yet.
 */
export async function buttonsShownBy(
  on: Queryable,
  { workspaceId, connectorId, chatId, id, telegramMessageId }: PressedMessage,
): Promise<Button[][] | null> {
  const params = [workspaceId, id, connectorId, chatId, telegramMessageId];
  const [row] = await on.query<{ buttons: Button[][] | null }>(BUTTONS, params);
  return row?.buttons ?? null;
}
