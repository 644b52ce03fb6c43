import type { Queryable } from "../platform/index.ts";
import { type DeletionView, deletionOf } from "./content/index.ts";
import type { MessageState } from "./new-message.ts";

export interface MessageView {
  id: string;
  state: MessageState;
  attempts: number;
  telegramMessageIds: string[];
  /** Of a text that goes out in parts. */
  parts?: { sent: number; total: number };
  error?: string;
  /** Of a notice that vanishes, once it has been sent. */
  deletion?: DeletionView;
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
    parts_sent: number;
    parts: number | null;
    error: string | null;
    vanishes: boolean;
  }>(
    `SELECT id, state, attempts, telegram_message_ids, error, parts_sent,
       jsonb_array_length(cuts) AS parts, delete_after_s IS NOT NULL AS vanishes
     FROM outbound_messages
     WHERE workspace_id = $1 AND id = $2 AND kind = 'message'`,
    [workspaceId, id],
  );
  if (row === undefined) return null;
  const deletion = row.vanishes ? await deletionOf(on, { workspaceId, id }) : null;
  return {
    id: row.id,
    state: row.state,
    attempts: row.attempts,
    telegramMessageIds: row.telegram_message_ids,
    ...(row.parts === null ? {} : { parts: { sent: row.parts_sent, total: row.parts } }),
    ...(row.error === null ? {} : { error: row.error }),
    ...(deletion === null ? {} : { deletion }),
  };
}
