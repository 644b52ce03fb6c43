import type { Core } from "../core.ts";
import { badRequest, forbidden } from "../errors.ts";
import { chatWords } from "../render.ts";
import { type Bot, type BusinessConnection, type Chat, isPresent } from "../world.ts";
import type { MethodCall } from "./call.ts";

/**
 * The chat that a `chat_id` means to a bot, with Telegram's answers for those it may not use.
 *
 * @throws BotApiRefusal 400 `chat not found`, 400 with `migrate_to_chat_id`, 403
 */
export function chatFor(core: Core, bot: Bot, chatId: unknown): Chat {
  const chat = lookUp(core, bot, chatId);
  if (chat === undefined) throw badRequest("chat not found");
  if (chat.type === "private") return chat;
  if (chat.migratedTo !== undefined)
    throw badRequest("group chat was upgraded to a supergroup chat", {
      migrate_to_chat_id: chat.migratedTo,
    });
  const status = chat.members.get(bot.id);
  if (status === "kicked") throw forbidden(`bot was kicked from the ${chatWords(chat.type)}`);
  if (status === undefined && chat.username === undefined) throw badRequest("chat not found");
  if (!isPresent(status)) throw forbidden(`bot is not a member of the ${chatWords(chat.type)}`);
  return chat;
}

/** The same, for a message that is to be sent, perhaps in the name of an account. */
export function chatToSendTo(call: MethodCall): Chat {
  const { core, bot } = call;
  if (call.params.business_connection_id !== undefined) return businessTarget(call);
  const chatId = call.params.chat_id;
  const id = Number(chatId);
  if (core.world.bots.has(id)) throw forbidden("bots can't send messages to bots");
  const person = core.world.people.get(id);
  if (person !== undefined) {
    if (person.deactivated) throw forbidden("user is deactivated");
    const contact = bot.contacts.get(id);
    if (contact === undefined) throw forbidden("bot can't initiate conversation with a user");
    if (contact === "blocked") throw forbidden("bot was blocked by the user");
  }
  const chat = chatFor(core, bot, chatId);
  if (chat.type === "channel" && chat.members.get(bot.id) !== "administrator")
    throw badRequest("need administrator rights in the channel chat");
  return chat;
}

/** @throws BotApiRefusal 400 with these words when the bot does not administer the chat */
export function administered(bot: Bot, chat: Chat, otherwise: string): void {
  if (chat.members.get(bot.id) !== "administrator") throw badRequest(otherwise);
}

/** The connection that a call names: its own, and still there. */
export function connectionFor({ core, bot, params }: MethodCall): BusinessConnection {
  const connection = core.world.businessConnections.get(String(params.business_connection_id));
  if (connection?.botId !== bot.id) throw badRequest("business connection not found");
  return connection;
}

/** The chat of a connected account in which the bot may write for its user. */
export function businessTarget(call: MethodCall): Chat {
  const connection = connectionFor(call);
  if (!connection.isEnabled || !connection.canReply)
    throw forbidden("not enough rights to send messages in the business account");
  const { core, params } = call;
  const customerId = Number(params.chat_id);
  // A bot may go on with what the customer began, never begin itself.
  const chat = core.world.chats.get(`business:${connection.userId}:${customerId}`);
  if (chat === undefined) throw badRequest("BUSINESS_PEER_INVALID");
  if (core.world.person(customerId).deactivated) throw forbidden("user is deactivated");
  return chat;
}

function lookUp(core: Core, bot: Bot, chatId: unknown): Chat | undefined {
  const { world } = core;
  if (typeof chatId === "string" && chatId.startsWith("@"))
    return world.byUsername(chatId.slice(1));
  const id = Number(chatId);
  if (!Number.isSafeInteger(id)) return undefined;
  if (id > 0) return bot.contacts.has(id) ? world.privateChat(id, bot.id) : undefined;
  return world.chats.get(String(id));
}
