import type { Queryable } from "../platform/index.ts";

const MAY_WRITE = `/* conversations.may-write-to */
SELECT 1 AS yes FROM chats
WHERE workspace_id = $1 AND connector_id = $2 AND chat_id = $3 AND type = 'private' AND reachable`;

/**
 * Whether the bot may write to somebody by itself: they have opened a chat with it, and have not blocked
 * it since (Bot API: bots can't start a conversation). A private chat's id is the person's.
 */
export async function mayWriteTo(
  on: Queryable,
  {
    workspaceId,
    connectorId,
    userId,
  }: { workspaceId: string; connectorId: string; userId: string },
): Promise<boolean> {
  return (await on.query(MAY_WRITE, [workspaceId, connectorId, userId])).length > 0;
}
