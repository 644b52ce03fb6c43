import type { Queryable } from "../platform/index.ts";
import type { MessageState } from "./message.ts";

/** A message as callers see it. */
export interface OutboundMessageView {
  id: string;
  state: MessageState;
  attempts: number;
  /** Decimal strings; more than one when it was sent more than once. */
  telegramMessageIds: string[];
  /** Why it failed, or why nobody knows. */
  error?: string;
  /** What was done differently than asked. */
  note?: string;
}

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

const GET = `/* outbound.get */
SELECT id, state, attempts, telegram_message_ids, error, note FROM outbound_messages
WHERE workspace_id = $1 AND id = $2 AND kind = 'message'`;

/** A message of this workspace; null when there is none with this id. */
export async function getMessage(
  db: Queryable,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<OutboundMessageView | null> {
  if (!UUID.test(id)) return null;
  const [row] = await db.query<{
    id: string;
    state: MessageState;
    attempts: number;
    telegram_message_ids: string[];
    error: string | null;
    note: string | null;
  }>(GET, [workspaceId, id]);
  if (row === undefined) return null;
  return {
    id: row.id,
    state: row.state,
    attempts: row.attempts,
    telegramMessageIds: row.telegram_message_ids,
    ...(row.error === null ? {} : { error: row.error }),
    ...(row.note === null ? {} : { note: row.note }),
  };
}
