import { badRequest } from "../errors.ts";
import { type Draft, post } from "../post.ts";
import type { ReplyMarkup, TelegramMessage } from "../telegram-objects.ts";
import type { Chat } from "../world.ts";
import { type MethodCall, numberParam, objectParam } from "./call.ts";
import { checkMarkup } from "./reply-markup.ts";
import { shownTo } from "./shown.ts";

/** What all methods that make a message appear have in common. */

/** The author, the thread, the reply and the buttons. */
export function common(call: MethodCall, chat: Chat): Draft {
  const threadId = numberParam(call, "message_thread_id");
  if (threadId !== undefined && !chat.topics.has(threadId) && threadId !== 1)
    throw badRequest("message thread not found");
  if (
    threadId !== undefined &&
    chat.closedTopics?.includes(threadId) &&
    chat.members.get(call.bot.id) !== "administrator"
  )
    throw badRequest("TOPIC_CLOSED");
  const reply = objectParam<{ message_id: number; allow_sending_without_reply?: boolean }>(
    call,
    "reply_parameters",
  );
  let replyTo: number | undefined;
  if (reply !== undefined) {
    const target = Number(reply.message_id);
    if (chat.messages.has(target)) replyTo = target;
    else if (reply.allow_sending_without_reply !== true)
      throw badRequest("message to be replied not found");
  }
  const replyMarkup = checkMarkup(objectParam<ReplyMarkup>(call, "reply_markup"), chat);
  return {
    ...authorIn(chat, call.bot.id),
    ...(threadId !== undefined && chat.topics.has(threadId) && { threadId }),
    ...(replyTo !== undefined && { replyTo }),
    ...(replyMarkup !== undefined && { replyMarkup }),
  };
}

/** A channel's posts show no author; in an account it is the user, with the bot behind. */
function authorIn(chat: Chat, botId: number): Pick<Draft, "from" | "businessBot"> {
  if (chat.type === "channel") return {};
  if (chat.businessUserId !== undefined) return { from: chat.businessUserId, businessBot: botId };
  return { from: botId };
}

/** Posts it, and gives it as the bot sees it. */
export function deliver(call: MethodCall, chat: Chat, draft: Draft): TelegramMessage {
  return shownTo(call, chat, post(call.core, chat, draft));
}
