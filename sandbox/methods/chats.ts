import { badRequest } from "../errors.ts";
import { removeMember, renderChatMember } from "../membership.ts";
import { renderChat, renderMessage } from "../render.ts";
import { type Chat, isPresent } from "../world.ts";
import { type Method, type MethodCall, numberParam } from "./call.ts";
import { chatFor } from "./target.ts";

/** Methods that look at chats and their members. */

function present(chat: Chat): number[] {
  return [...chat.members].filter(([, status]) => isPresent(status)).map(([id]) => id);
}

function groupFor(call: MethodCall): Chat {
  const chat = chatFor(call.core, call.bot, call.params.chat_id);
  if (chat.type === "private") throw badRequest("there are no administrators in the private chat");
  return chat;
}

/** Bot API: ChatFullInfo, with the fields that every chat has. */
export const getChat: Method = (call) => {
  const chat = chatFor(call.core, call.bot, call.params.chat_id);
  const pinned = chat.messages.get(chat.pinned?.at(-1) ?? -1);
  return {
    ...renderChat(call.core.world, chat),
    accent_color_id: 0,
    max_reaction_count: 11,
    accepted_gift_types: {
      unlimited_gifts: false,
      limited_gifts: false,
      unique_gifts: false,
      premium_subscription: false,
      gifts_from_channels: false,
    },
    ...(pinned !== undefined && {
      pinned_message: renderMessage(call.core.world, chat, pinned, call.bot.id, false),
    }),
    ...(chat.type !== "private" && {
      permissions: { can_send_messages: true, can_invite_users: true },
    }),
  };
};

export const getChatMember: Method = (call) => {
  const chat = chatFor(call.core, call.bot, call.params.chat_id);
  const userId = numberParam(call, "user_id") ?? 0;
  const { people, bots } = call.core.world;
  if (!people.has(userId) && !bots.has(userId)) throw badRequest("user not found");
  return renderChatMember(call.core, userId, chat.members.get(userId) ?? "left");
};

export const getChatAdministrators: Method = (call) => {
  const chat = groupFor(call);
  return [...chat.members]
    .filter(([, status]) => status === "creator" || status === "administrator")
    .map(([id, status]) => renderChatMember(call.core, id, status));
};

export const getChatMemberCount: Method = (call) =>
  present(chatFor(call.core, call.bot, call.params.chat_id)).length;

export const leaveChat: Method = (call) => {
  const chat = chatFor(call.core, call.bot, call.params.chat_id);
  if (chat.type === "private")
    throw badRequest("chat member status can't be changed in private chats");
  removeMember(call.core, chat.id, call.bot.id, "left");
  return true;
};
