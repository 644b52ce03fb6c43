import type { JobId } from "../jobs/index.ts";
import type { Transaction } from "../platform/index.ts";
import { compact } from "./compact.ts";
import { currentChatId, needsLink } from "./context.ts";
import type { ConversationKey, Effect, MessageKey, Scope } from "./effects.ts";
import { contactUserIdOf, storedMessage, versionOf } from "./interpret.ts";
import { chatKeyOf } from "./keys.ts";
import { holdChats } from "./load-context.ts";
import { parseMessage } from "./parse-update.ts";
import type { TelegramChat, TelegramMessage } from "./telegram-types.ts";
import { writeMessages } from "./write-messages.ts";

/** A message that Telegram accepted. */
export interface SentMessage extends Scope {
  /** What the call answered (Bot API: Message, e.g. the result of sendMessage). */
  message: unknown;
  jobId: JobId | null;
  /** Nobody wrote it: an acknowledgement, the answer to a command. Default: somebody did. */
  isAutomatic?: boolean;
  /** When the answer came, in ms since the epoch. */
  acceptedAtMs: number;
}

/** Chats that are there keep what updates told of them. */
const INSERT_MISSING_CHATS = `/* conversations.insert-missing-chats */
INSERT INTO chats (workspace_id, connector_id, chat_id, type, title, username, is_forum)
SELECT DISTINCT ON (workspace_id, connector_id, chat_id) * FROM unnest($1::uuid[], $2::uuid[],
    $3::bigint[], $4::text[], $5::text[], $6::text[], $7::boolean[])
  AS i(workspace_id, connector_id, chat_id, type, title, username, is_forum)
ORDER BY workspace_id, connector_id, chat_id
ON CONFLICT DO NOTHING`;

interface Outgoing {
  scope: Scope;
  sent: SentMessage;
  message: TelegramMessage;
}

/**
 * Writes messages that Telegram accepted into their conversations, each once by connector, chat and
 * number; a conversation is begun where there is none. Answers how many were new. What is not a
 * message (some calls answer `true`) is left out.
 */
export async function recordOutgoing(
  tx: Transaction,
  sentMessages: readonly SentMessage[],
): Promise<number> {
  const outgoing = sentMessages.flatMap((sent): Outgoing[] => {
    const message = parseMessage(sent.message);
    const scope = { workspaceId: sent.workspaceId, connectorId: sent.connectorId };
    return message ? [{ scope, sent, message }] : [];
  });
  if (outgoing.length === 0) return 0;

  await insertMissingChats(
    tx,
    outgoing.map(({ scope, message }) => ({ scope, chat: message.chat })),
  );
  const groups = new Map(
    outgoing
      .filter(({ message }) => needsLink(message.chat.type))
      .map(({ scope, message }) => [
        chatKeyOf(scope, message.chat.id),
        { scope, chatId: message.chat.id },
      ]),
  );
  const successors = await holdChats(tx, groups);
  const changes = compact(outgoing.map((one) => storedEffect(one, successors)));
  return writeMessages(tx, changes.conversations, changes.messages);
}

function storedEffect(
  { scope, sent, message }: Outgoing,
  successors: ReadonlyMap<string, string>,
): Effect {
  const { businessConnectionId } = message;
  const key: MessageKey = {
    scope,
    chatId: message.chat.id,
    messageId: message.messageId,
    businessConnectionId,
  };
  const conversation: ConversationKey = {
    scope,
    chatId: currentChatId(successors, scope, message.chat.id),
    threadId: (message.isTopicMessage && message.threadId) || "0",
    businessConnectionId,
  };
  const stored = storedMessage(message, versionOf(message, false), {
    key,
    conversation,
    direction: "out",
    side: sent.isAutomatic ? null : "team",
  });
  return {
    type: "message-stored",
    message: { ...stored, receivedAtMs: sent.acceptedAtMs, jobId: sent.jobId },
    contactUserId: contactUserIdOf(message),
  };
}

async function insertMissingChats(
  tx: Transaction,
  seen: ReadonlyArray<{ scope: Scope; chat: TelegramChat }>,
): Promise<void> {
  await tx.query(INSERT_MISSING_CHATS, [
    seen.map(({ scope }) => scope.workspaceId),
    seen.map(({ scope }) => scope.connectorId),
    seen.map(({ chat }) => chat.id),
    seen.map(({ chat }) => chat.type),
    seen.map(({ chat }) => chat.title),
    seen.map(({ chat }) => chat.username),
    seen.map(({ chat }) => chat.isForum),
  ]);
}
