import { tellBusinessBots } from "./business.ts";
import { type Core, unixTime } from "./core.ts";
import type { MessageEntry } from "./record.ts";
import { renderChat, renderMessage } from "./render.ts";
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

/** Takes messages away. Telegram tells bots nothing of that, but in business accounts. */
export function remove(core: Core, chat: Chat, ...messages: StoredMessage[]): void {
  for (const message of messages) {
    chat.messages.delete(message.id);
    announce(core, chat, message, "deleted");
  }
  if (chat.businessUserId === undefined) return;
  tellBusinessBots(core, chat, (connection) => ({
    deleted_business_messages: {
      business_connection_id: connection.id,
      chat: renderChat(core.world, chat),
      message_ids: messages.map(({ id }) => id),
    },
  }));
}

/** Tells the record, and with it the chat page, but no bot. */
export function announce(
  core: Core,
  chat: Chat,
  message: StoredMessage,
  what: MessageEntry["what"],
): void {
  core.changed();
  core.record.add({
    kind: "message",
    what,
    chatId: chat.id,
    ...(chat.botId !== undefined && { botId: chat.botId }),
    ...(chat.businessUserId !== undefined && { businessUserId: chat.businessUserId }),
    message: renderMessage(core.world, chat, message, 0),
  });
}

function publish(core: Core, chat: Chat, message: StoredMessage, kind: string): void {
  const { bots } = core.world;
  if (chat.businessUserId !== undefined) {
    const businessKind = kind === "message" ? "business_message" : "edited_business_message";
    tellBusinessBots(
      core,
      chat,
      (connection) => ({
        [businessKind]: {
          business_connection_id: connection.id,
          ...renderMessage(core.world, chat, message, connection.botId),
        },
      }),
      message.businessBot,
    );
    return;
  }
  const fromBot = message.from !== undefined && bots.has(message.from);
  for (const memberId of chat.members.keys()) {
    const bot = bots.get(memberId);
    if (bot === undefined || !seesMessage(bot, chat, message, fromBot)) continue;
    core.updatesOf(bot.id).push({ [kind]: renderMessage(core.world, chat, message, bot.id) });
  }
}
