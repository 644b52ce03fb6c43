import type { Transaction } from "../platform/index.ts";
import { type ChatRequest, isOffered } from "./chat-request.ts";
import type { ConversationChange } from "./compact.ts";
import type { ConversationKey, Effect, StoredMessage } from "./effects.ts";
import { conversationKeyOf, messageKeyOf } from "./keys.ts";
import type { Turn } from "./queue-status.ts";
import { writeConversations } from "./write-conversations.ts";

/**
 * Files and words that are offered to compliance. What a dialog takes as its own is no question to the team,
 * as a command is none; what it leaves is the customer's word like any other. Which of the two is known
 * late in the batch, so their turns in the support queue are kept back until then. That they come behind
 * others of the same batch changes nothing: where a conversation stands does not depend on the order in
 * which a customer's words are stored.
 */
export interface OfferedTurn {
  request: ChatRequest;
  change: ConversationChange;
}

/** Requests that messages of the batch are offered as, by the messages' keys. Pure. */
export function offeredMessages(effects: readonly Effect[]): Map<string, ChatRequest> {
  const offered = new Map<string, ChatRequest>();
  for (const effect of effects) {
    if (effect.type !== "chat-requested" || !isOffered(effect.request)) continue;
    offered.set(keyOf(effect.request), effect.request);
  }
  return offered;
}

/** In a private chat, where alone it may be a customer's word, the chat has one id for ever. */
function keyOf(request: ChatRequest): string {
  const { workspaceId, connectorId, chatId } = request;
  const messageId = "messageId" in request ? (request.messageId ?? "") : "";
  const scope = { workspaceId, connectorId };
  return messageKeyOf({ scope, chatId, messageId, businessConnectionId: "" });
}

/** The turn alone: all else that the message changes is written with it. */
export const offeredTurn = (
  request: ChatRequest,
  {
    key,
    message,
    contactUserId,
    turns,
  }: {
    key: ConversationKey;
    message: StoredMessage;
    contactUserId: string | null;
    turns: Turn[];
  },
): OfferedTurn => ({
  request,
  change: {
    key,
    contactUserId,
    lastMessageAtS: message.sentAtS,
    acknowledgedAtMs: null,
    turns,
    denied: message.denied === true,
    session: null,
  },
});

/** Of what nobody took; its conversations are held by who stored the messages. */
export async function writeLeftTurns(
  tx: Transaction,
  offered: readonly OfferedTurn[],
  taken: ReadonlySet<ChatRequest>,
): Promise<void> {
  const changes = new Map<string, ConversationChange>();
  for (const { request, change } of offered) {
    if (taken.has(request)) continue;
    const key = conversationKeyOf(change.key);
    const known = changes.get(key);
    changes.set(key, known ? { ...known, turns: [...known.turns, ...change.turns] } : change);
  }
  if (changes.size > 0) await writeConversations(tx, [...changes.values()]);
}
