import type { Context } from "./context.ts";
import type { ConversationKey, Effect } from "./effects.ts";
import type { Incoming } from "./interpret.ts";
import { conversationKeyOf } from "./keys.ts";
import { isSaidByPeople } from "./parse-content.ts";
import { onMessage } from "./session-rule.ts";
import type { Update } from "./telegram-types.ts";

/**
 * What a message that is stored for the first time does to its conversation's sessions. Sessions are
 * a person's with the bot: there are none in groups and channels, nor in what a business account
 * talks about with its customers. Edits, service messages and bots do not count.
 */
export function sessionMoved(
  { scope }: Incoming,
  { edited, message }: Extract<Update, { kind: "message" }>,
  conversation: ConversationKey,
  context: Context,
): Effect[] {
  const policy = context.access.policies.get(scope.connectorId);
  if (policy === undefined || edited) return [];
  const { chat, from, businessConnectionId, content, sentAtS } = message;
  if (chat.type !== "private" || businessConnectionId !== "") return [];
  if (from === null || from.isBot || !isSaidByPeople(content.kind)) return [];
  const state = context.sessions.get(conversationKeyOf(conversation)) ?? null;
  const step = onMessage(state, sentAtS * 1_000, policy.sessionHours);
  return step === null ? [] : [{ type: "session-moved", conversation, step }];
}
