import { fewRows, type Transaction } from "../platform/index.ts";
import type { ChatRequest } from "./chat-request.ts";
import type { ConversationChange } from "./compact.ts";
import { needsLink } from "./context.ts";
import type { ConversationKey } from "./effects.ts";
import { conversationKeyOf } from "./keys.ts";

/** In the order in which they are written. */
const HOLD = `/* ingest.hold-conversations */
SELECT 1 AS one FROM (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[])
    AS k(workspace_id, connector_id, chat_id, thread_id, business_connection_id) ${fewRows("$1")}
) k
JOIN conversations c
  USING (workspace_id, connector_id, chat_id, thread_id, business_connection_id)
ORDER BY c.workspace_id, c.connector_id, c.chat_id, c.thread_id, c.business_connection_id
FOR NO KEY UPDATE OF c`;

/**
 * Holds the conversations that pressed buttons go on with, with all that the batch writes to, before any
 * of them is taken: a press comes in its person's lane, beside what they write in the chat's own, and
 * two batches that took such rows as their presses come would wait for each other. A statement only
 * where a button of a private chat was pressed in which nobody wrote.
 */
export async function holdConversations(
  tx: Transaction,
  {
    conversations,
    requests,
  }: { conversations: readonly ConversationChange[]; requests: readonly ChatRequest[] },
): Promise<void> {
  const keys = new Map(conversations.map(({ key }) => [conversationKeyOf(key), key]));
  const written = keys.size;
  for (const request of requests) {
    const key = pressedIn(request);
    if (key !== null) keys.set(conversationKeyOf(key), key);
  }
  if (keys.size === written) return;
  const all = [...keys.values()];
  await tx.query(HOLD, [
    all.map(({ scope }) => scope.workspaceId),
    all.map(({ scope }) => scope.connectorId),
    all.map(({ chatId }) => chatId),
    all.map(({ threadId }) => threadId),
    all.map(({ businessConnectionId }) => businessConnectionId),
  ]);
}

/** Groups have their chats' rows held. */
function pressedIn(request: ChatRequest): ConversationKey | null {
  const { kind, workspaceId, connectorId, chatId, chatType, threadId } = request;
  if (kind !== "press" || chatType === null || needsLink(chatType)) return null;
  const scope = { workspaceId, connectorId };
  return { scope, chatId, threadId: threadId ?? "0", businessConnectionId: "" };
}
