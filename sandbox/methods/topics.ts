import { badRequest } from "../errors.ts";
import * as topics from "../topics.ts";
import type { Chat } from "../world.ts";
import { type Method, type MethodCall, numberParam, stringParam } from "./call.ts";
import { administered, chatFor } from "./target.ts";

/** Methods about topics of a forum; they take an administrator (Bot API: createForumTopic …). */

const iconColor = 7322096;

function forum(call: MethodCall): Chat {
  const chat = chatFor(call.core, call.bot, call.params.chat_id);
  if (chat.type !== "supergroup" || chat.topics.size === 0)
    throw badRequest("the chat is not a forum");
  administered(call.bot, chat, "not enough rights to manage topics");
  return chat;
}

function topicIn(call: MethodCall): { chat: Chat; threadId: number; name: string } {
  const chat = forum(call);
  const threadId = numberParam(call, "message_thread_id") ?? -1;
  const name = chat.topics.get(threadId);
  if (name === undefined) throw badRequest("TOPIC_ID_INVALID");
  return { chat, threadId, name };
}

function topicName(call: MethodCall): string | undefined {
  const name = stringParam(call, "name")?.trim();
  if (name !== undefined && (name === "" || name.length > 128))
    throw badRequest("topic name must be 1-128 characters long");
  return name;
}

export const createForumTopic: Method = (call) => {
  const chat = forum(call);
  const name = topicName(call) ?? "";
  const threadId = topics.open(call.core, chat, name, call.bot.id);
  return { message_thread_id: threadId, name, icon_color: iconColor };
};

export const editForumTopic: Method = (call) => {
  const { chat, threadId, name: before } = topicIn(call);
  const name = topicName(call) ?? before;
  if (name === before) throw badRequest("TOPIC_NOT_MODIFIED");
  topics.rename(call.core, chat, threadId, name, call.bot.id);
  return true;
};

function setClosed(closed: boolean): Method {
  return (call) => {
    const { chat, threadId } = topicIn(call);
    if (!topics.setClosed(call.core, chat, threadId, closed, call.bot.id))
      throw badRequest("TOPIC_NOT_MODIFIED");
    return true;
  };
}

export const closeForumTopic = setClosed(true);
export const reopenForumTopic = setClosed(false);

export const deleteForumTopic: Method = (call) => {
  const { chat, threadId } = topicIn(call);
  topics.erase(call.core, chat, threadId);
  return true;
};
