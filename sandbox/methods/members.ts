import { badRequest } from "../errors.ts";
import { decide } from "../join-requests.ts";
import { removeMember, setStatus } from "../membership.ts";
import { type Chat, isPresent } from "../world.ts";
import { flagParam, type Method, type MethodCall, numberParam } from "./call.ts";
import { administered, chatFor } from "./target.ts";

/** Methods by which an administrator puts members out and lets them in. */

function memberIn(call: MethodCall): { chat: Chat; userId: number } {
  const chat = chatFor(call.core, call.bot, call.params.chat_id);
  if (chat.type === "private") throw badRequest("can't manage members of a private chat");
  administered(call.bot, chat, "not enough rights to restrict/unrestrict chat member");
  const userId = numberParam(call, "user_id") ?? 0;
  const { people, bots } = call.core.world;
  if (!people.has(userId) && !bots.has(userId)) throw badRequest("user not found");
  return { chat, userId };
}

export const banChatMember: Method = (call) => {
  const { chat, userId } = memberIn(call);
  const status = chat.members.get(userId);
  if (status === "creator") throw badRequest("can't remove chat owner");
  if (status === "administrator") throw badRequest("user is an administrator of the chat");
  removeMember(call.core, chat.id, userId, "kicked", call.bot.id);
  return true;
};

/** Without `only_if_banned` it also puts out who is in the chat, as Telegram has it. */
export const unbanChatMember: Method = (call) => {
  const { chat, userId } = memberIn(call);
  const status = chat.members.get(userId);
  if (status === "kicked") setStatus(call.core, chat, userId, "left", call.bot.id);
  else if (isPresent(status) && status !== "creator" && !flagParam(call, "only_if_banned"))
    removeMember(call.core, chat.id, userId, "left", call.bot.id);
  return true;
};

function decideRequest(isLetIn: boolean): Method {
  return (call) => {
    const { chat, userId } = memberIn(call);
    if (isPresent(chat.members.get(userId))) throw badRequest("USER_ALREADY_PARTICIPANT");
    if (!decide(call.core, chat, userId, isLetIn)) throw badRequest("HIDE_REQUESTER_MISSING");
    return true;
  };
}

export const approveChatJoinRequest = decideRequest(true);
export const declineChatJoinRequest = decideRequest(false);
