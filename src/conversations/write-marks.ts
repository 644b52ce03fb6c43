import { fewRows, type Transaction } from "../platform/index.ts";
import type { Changes } from "./compact.ts";
import type { MessageKey } from "./effects.ts";
import { isoOfS } from "./write-chats.ts";

/** What happens to messages, and is not an edit. */

const MESSAGE_OF_INPUT = `m.workspace_id = i.workspace_id AND m.connector_id = i.connector_id
  AND m.chat_id = i.chat_id AND m.telegram_message_id = i.telegram_message_id
  AND m.business_connection_id = i.business_connection_id`;

const DELETE_MESSAGES = `/* ingest.mark-deleted */
UPDATE messages m SET deleted_at = i.deleted_at
FROM (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[],
      $6::timestamptz[])
    AS i(workspace_id, connector_id, chat_id, telegram_message_id, business_connection_id,
      deleted_at)
  ${fewRows("$1")}
) i
WHERE ${MESSAGE_OF_INPUT} AND m.deleted_at IS NULL`;

const PIN_MESSAGES = `/* ingest.mark-pinned */
UPDATE messages m SET pinned_at = i.pinned_at
FROM (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[],
      $6::timestamptz[])
    AS i(workspace_id, connector_id, chat_id, telegram_message_id, business_connection_id,
      pinned_at)
  ${fewRows("$1")}
) i
WHERE ${MESSAGE_OF_INPUT} AND (m.pinned_at IS NULL OR m.pinned_at < i.pinned_at)`;

/**
 * A reaction is Telegram's latest word on one actor: what is dated before it changes nothing. The
 * message may come later than the reaction to it.
 */
const UPSERT_REACTIONS = `/* ingest.upsert-reactions */
INSERT INTO message_reactions AS r (workspace_id, connector_id, chat_id, telegram_message_id,
  actor_id, reactions, reacted_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::jsonb[],
    $7::timestamptz[])
  AS i(workspace_id, connector_id, chat_id, telegram_message_id, actor_id, reactions, reacted_at)
ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (workspace_id, connector_id, chat_id, telegram_message_id, actor_id) DO UPDATE SET
  reactions = excluded.reactions, reacted_at = excluded.reacted_at
WHERE r.reacted_at <= excluded.reacted_at`;

export async function writeMarks(
  tx: Transaction,
  { deletions, pins, reactions }: Pick<Changes, "deletions" | "pins" | "reactions">,
): Promise<void> {
  if (deletions.length > 0) {
    const times = deletions.map(({ atMs }) => new Date(atMs).toISOString());
    await tx.query(DELETE_MESSAGES, [...keyColumns(deletions), times]);
  }
  if (pins.length > 0) {
    await tx.query(PIN_MESSAGES, [...keyColumns(pins), pins.map(({ atS }) => isoOfS(atS))]);
  }
  if (reactions.length > 0) {
    await tx.query(UPSERT_REACTIONS, [
      reactions.map(({ key }) => key.scope.workspaceId),
      reactions.map(({ key }) => key.scope.connectorId),
      reactions.map(({ key }) => key.chatId),
      reactions.map(({ key }) => key.messageId),
      reactions.map(({ actorId }) => actorId),
      reactions.map((change) => JSON.stringify(change.reactions)),
      reactions.map(({ atS }) => isoOfS(atS)),
    ]);
  }
}

function keyColumns(marks: ReadonlyArray<{ key: MessageKey }>): string[][] {
  return [
    marks.map(({ key }) => key.scope.workspaceId),
    marks.map(({ key }) => key.scope.connectorId),
    marks.map(({ key }) => key.chatId),
    marks.map(({ key }) => key.messageId),
    marks.map(({ key }) => key.businessConnectionId),
  ];
}
