import type { ConversationKey, MessageKey, Scope } from "./effects.ts";

/** Keys of maps: what the unique keys of the tables are, as strings. */

export const chatKeyOf = (scope: Scope, chatId: string): string =>
  `${scope.workspaceId}/${scope.connectorId}/${chatId}`;

/** Contacts belong to the workspace: one person who writes to two bots is one contact. */
export const contactKeyOf = (scope: Scope, userId: string): string =>
  `${scope.workspaceId}/${userId}`;

export const memberKeyOf = (scope: Scope, chatId: string, userId: string): string =>
  `${chatKeyOf(scope, chatId)}/${userId}`;

export const conversationKeyOf = (key: ConversationKey): string =>
  `${chatKeyOf(key.scope, key.chatId)}/${key.threadId}/${key.businessConnectionId}`;

export const messageKeyOf = (key: MessageKey): string =>
  `${chatKeyOf(key.scope, key.chatId)}/${key.messageId}/${key.businessConnectionId}`;

/** Bot API: ids of supergroups and channels lie below this, those of basic groups between it and 0. */
const SUPERGROUPS_BELOW = -1_000_000_000_000;

/** A basic group becomes a supergroup; nothing else does, and no other chat takes part in it. */
export function isMigration(fromChatId: string, toChatId: string): boolean {
  const from = Number(fromChatId);
  return from < 0 && from > SUPERGROUPS_BELOW && Number(toChatId) < SUPERGROUPS_BELOW;
}
