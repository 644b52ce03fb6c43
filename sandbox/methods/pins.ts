import { badRequest } from "../errors.ts";
import { pin, unpin } from "../pins.ts";
import type { Chat } from "../world.ts";
import { type Method, type MethodCall, numberParam } from "./call.ts";
import { administered, chatFor } from "./target.ts";

/** Methods that pin and unpin. In groups and channels that takes an administrator. */

function pinnableChat(call: MethodCall): Chat {
  const chat = chatFor(call.core, call.bot, call.params.chat_id);
  if (chat.type !== "private")
    administered(call.bot, chat, "not enough rights to manage pinned messages in the chat");
  return chat;
}

export const pinChatMessage: Method = (call) => {
  const chat = pinnableChat(call);
  const messageId = numberParam(call, "message_id") ?? -1;
  const message = chat.messages.get(messageId);
  if (message === undefined) throw badRequest("message to pin not found");
  if (message.service !== undefined) throw badRequest("message can't be pinned");
  pin(call.core, chat, messageId, call.bot.id);
  return true;
};

export const unpinChatMessage: Method = (call) => {
  const chat = pinnableChat(call);
  if (!unpin(call.core, chat, numberParam(call, "message_id")))
    throw badRequest("message to unpin not found");
  return true;
};

export const unpinAllChatMessages: Method = (call) => {
  const chat = pinnableChat(call);
  while (unpin(call.core, chat));
  return true;
};
