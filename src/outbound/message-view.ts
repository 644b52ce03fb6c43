import type { Queryable } from "../platform/index.ts";
import type { MessageState } from "./new-message.ts";

export interface MessageView {
  id: string;
  state: MessageState;
  attempts: number;
  telegramMessageIds: string[];
  error?: string;
}

/** A message as its workspace sees it; null when there is none. */
export async function getMessage(
  on: Queryable,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<MessageView | null> {
  const [row] = await on.query<{
    id: string;
    state: MessageState;
    attempts: number;
    telegram_message_ids: string[];
    error: string | null;
  }>(
    `SELECT id, state, attempts, telegram_message_ids, error FROM outbound_messages
     WHERE workspace_id = $1 AND id = $2 AND kind = 'message'`,
    [workspaceId, id],
  );
  if (row === undefined) return null;
  return {
    id: row.id,
    state: row.state,
    attempts: row.attempts,
    telegramMessageIds: row.telegram_message_ids,
    ...(row.error === null ? {} : { error: row.error }),
  };
}
