import type { Transaction } from "../platform/index.ts";
import type { Changes } from "./compact.ts";
import { isoOfS } from "./write-chats.ts";

const UPSERT_CONNECTIONS = `/* ingest.upsert-business-connections */
INSERT INTO business_connections AS b (workspace_id, connector_id, id, telegram_user_id,
  user_chat_id, enabled, can_reply, connected_at, updated_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::boolean[],
    $7::boolean[], $8::timestamptz[], $9::timestamptz[])
  AS i(workspace_id, connector_id, id, user_id, user_chat_id, enabled, can_reply, connected_at,
    updated_at)
ORDER BY 1, 2, 3
ON CONFLICT (workspace_id, connector_id, id) DO UPDATE SET
  telegram_user_id = excluded.telegram_user_id, user_chat_id = excluded.user_chat_id,
  enabled = excluded.enabled, can_reply = excluded.can_reply,
  connected_at = excluded.connected_at, updated_at = excluded.updated_at
WHERE b.updated_at <= excluded.updated_at`;

export async function writeBusinessConnections(
  tx: Transaction,
  connections: Changes["businessConnections"],
): Promise<void> {
  if (connections.length === 0) return;
  await tx.query(UPSERT_CONNECTIONS, [
    connections.map(({ scope }) => scope.workspaceId),
    connections.map(({ scope }) => scope.connectorId),
    connections.map(({ connectionId }) => connectionId),
    connections.map(({ userId }) => userId),
    connections.map(({ userChatId }) => userChatId),
    connections.map(({ enabled }) => enabled),
    connections.map(({ canReply }) => canReply),
    connections.map(({ connectedAtS }) => isoOfS(connectedAtS)),
    connections.map(({ atMs }) => new Date(atMs).toISOString()),
  ]);
}
