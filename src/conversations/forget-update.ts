import { verdictOn, verdictOnMessage, verdictOnReaction } from "./access.ts";
import { type Context, currentChatId, needsLink } from "./context.ts";
import type { Scope } from "./effects.ts";
import { groupCommandOf } from "./group-command.ts";
import type { Incoming } from "./interpret.ts";
import { chatKeyOf } from "./keys.ts";
import type { TelegramChat } from "./telegram-types.ts";

/**
 * Whether an update's bytes are deleted together with what it changes, instead of being kept for a
 * few days: those of who may not talk, of groups that are not linked (any more), and those that hold
 * a token or a code. Deleted, not masked: of such an update nothing else is worth keeping, and its
 * message, masked, is stored where it is to be. `context` is that before the update.
 */
export function forgetsUpdate(incoming: Incoming, context: Context): boolean {
  const { scope, update, holdsToken } = incoming;
  if (holdsToken) return true;
  const { access } = context;
  switch (update.kind) {
    case "message": {
      const { message } = update;
      const isMigration = message.migrateToChatId !== null || message.migrateFromChatId !== null;
      if (isMigration) return false;
      const username = context.botUsernames.get(scope.connectorId) ?? null;
      if (groupCommandOf(message, username)?.name === "link") return true;
      return (
        !isHeard(scope, message.chat, context) ||
        verdictOnMessage(incoming, update, context) === "dropped"
      );
    }
    case "reaction":
      return (
        !isHeard(scope, update.chat, context) ||
        verdictOnReaction(access, scope, update) === "dropped"
      );
    case "callback":
      return (
        (update.chat !== null && !isHeard(scope, update.chat, context)) ||
        verdictOn(access, scope, update.user.id) === "dropped"
      );
    case "inline-query":
      return verdictOn(access, scope, update.user.id) === "dropped";
    case "poll-answer":
      return verdictOn(access, scope, update.voterId) === "dropped";
    case "membership":
      return !update.own && !isHeard(scope, update.chat, context);
    case "join-request":
    case "deletion":
      return !isHeard(scope, update.chat, context);
    case "business-connection":
      return verdictOn(access, scope, update.user.id) === "dropped";
    case "other":
      return update.userId !== undefined && verdictOn(access, scope, update.userId) === "dropped";
    case "poll":
      return false;
  }
}

/** Whether anything that is said in the chat may be stored, as far as the chat is concerned. */
function isHeard(scope: Scope, chat: TelegramChat, { chats, successors }: Context): boolean {
  if (!needsLink(chat.type)) return true;
  const homeId = currentChatId(successors, scope, chat.id);
  return chats.get(chatKeyOf(scope, homeId))?.linked === true;
}
