import { type Core, unixTime } from "./core.ts";
import { renderMessage } from "./render.ts";
import { seesMessage } from "./visibility.ts";
import type { Chat, StoredMessage } from "./world.ts";

/** A message without what the chat gives it. */
export type Draft = Omit<StoredMessage, "id" | "date">;

/** Puts a message into a chat: it gets its id, the record hears of it, and so do the bots it is for. */
export function post(core: Core, chat: Chat, draft: Draft): StoredMessage {
  const { world } = core;
  const message: StoredMessage = { id: world.takeMessageId(chat), date: unixTime(core), ...draft };
  chat.messages.set(message.id, message);
  if (chat.messages.size > core.limits.messagesPerChat) {
    const oldest = chat.messages.keys().next();
    if (!oldest.done) chat.messages.delete(oldest.value);
  }
  announce(core, chat, message, "new");
  publish(core, chat, message, chat.type === "channel" ? "channel_post" : "message");
  return message;
}

/** Says that a message changed. Bots hear of people's edits, never of their own or each other's. */
export function postEdit(core: Core, chat: Chat, message: StoredMessage): void {
  announce(core, chat, message, "edited");
  publish(core, chat, message, chat.type === "channel" ? "edited_channel_post" : "edited_message");
}

/** Takes a message away. Telegram tells bots nothing of that. */
export function remove(core: Core, chat: Chat, message: StoredMessage): void {
  chat.messages.delete(message.id);
  announce(core, chat, message, "deleted");
}

function announce(
  core: Core,
  chat: Chat,
  message: StoredMessage,
  what: "new" | "edited" | "deleted",
): void {
  core.changed();
  core.record.add({
    kind: "message",
    what,
    chatId: chat.id,
    ...(chat.botId !== undefined && { botId: chat.botId }),
    message: renderMessage(core.world, chat, message, 0),
  });
}

function publish(core: Core, chat: Chat, message: StoredMessage, kind: string): void {
  const { bots } = core.world;
  const fromBot = message.from !== undefined && bots.has(message.from);
  for (const memberId of chat.members.keys()) {
    const bot = bots.get(memberId);
    if (bot === undefined || !seesMessage(bot, chat, message, fromBot)) continue;
    core.updatesOf(bot.id).push({ [kind]: renderMessage(core.world, chat, message, bot.id) });
  }
}
