import type { Core } from "../core.ts";
import { badRequest, forbidden } from "../errors.ts";
import { chatWords } from "../render.ts";
import { type Bot, type Chat, isPresent } from "../world.ts";

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

/** The same, for a message that is to be sent. */
export function chatToSendTo(core: Core, bot: Bot, chatId: unknown): Chat {
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

function lookUp(core: Core, bot: Bot, chatId: unknown): Chat | undefined {
  const { world } = core;
  if (typeof chatId === "string" && chatId.startsWith("@"))
    return world.byUsername(chatId.slice(1));
  const id = Number(chatId);
  if (!Number.isSafeInteger(id)) return undefined;
  if (id > 0) return bot.contacts.has(id) ? world.privateChat(id, bot.id) : undefined;
  return world.chats.get(String(id));
}
