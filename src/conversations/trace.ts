import type { Queryable } from "../platform/index.ts";
import { parseUpdate } from "./parse-update.ts";

/** Where in the conversations something is: ids only, for those who follow a job. */
export interface Place {
  chatId: string;
  /** Telegram's numbers of the messages; empty where there is none, e.g. for a pressed button. */
  telegramMessageIds: string[];
}

export interface TracedMessage {
  messageId: string;
  conversationId: string;
  direction: "in" | "out";
  telegramMessageId: string;
}

/** The chat and message that an update is about, from its bytes; null for one about no chat. */
export function placeOfUpdate(body: Buffer): Place | null {
  let json: unknown;
  try {
    json = JSON.parse(body.toString("utf8"));
  } catch {
    return null;
  }
  const update = parseUpdate(json);
  if (update.kind === "message") {
    const { chat, messageId } = update.message;
    return { chatId: chat.id, telegramMessageIds: [messageId] };
  }
  const chat = "chat" in update ? update.chat : null;
  return chat === null ? null : { chatId: chat.id, telegramMessageIds: [] };
}

const MAX_FOUND = 20;

/** By its key; a business message has the same numbers under its connection. */
const MESSAGES = `/* conversations.trace */
SELECT id AS "messageId", conversation_id AS "conversationId", direction,
  telegram_message_id AS "telegramMessageId"
FROM messages
WHERE workspace_id = $1 AND connector_id = $2 AND chat_id = $3
  AND telegram_message_id = ANY ($4::bigint[])
ORDER BY id LIMIT ${MAX_FOUND}`;

/** What is stored of the messages at a place; empty when nothing is, or not yet. */
export async function traceMessages(
  db: Queryable,
  scope: { workspaceId: string; connectorId: string },
  place: Place,
): Promise<TracedMessage[]> {
  if (place.telegramMessageIds.length === 0 || !/^-?[0-9]{1,18}$/.test(place.chatId)) return [];
  const key = [scope.workspaceId, scope.connectorId, place.chatId];
  return db.query<TracedMessage>(MESSAGES, [...key, place.telegramMessageIds]);
}
