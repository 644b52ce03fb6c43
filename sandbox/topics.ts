import type { Core } from "./core.ts";
import { post } from "./post.ts";
import type { Chat } from "./world.ts";

/** Topics of a forum. What happens to one is told by a service message in it. */

/** Gives its thread id: the id of the message that opens it. */
export function open(core: Core, chat: Chat, name: string, byId: number): number {
  const threadId = chat.nextMessageId;
  chat.topics.set(threadId, name);
  post(core, chat, { from: byId, threadId, service: { kind: "topic", name } });
  return threadId;
}

export function rename(core: Core, chat: Chat, threadId: number, name: string, byId: number): void {
  chat.topics.set(threadId, name);
  post(core, chat, { from: byId, threadId, service: { kind: "topicEdited", name } });
}

/** False when it was so already. */
export function setClosed(
  core: Core,
  chat: Chat,
  threadId: number,
  closed: boolean,
  byId: number,
): boolean {
  const before = chat.closedTopics ?? [];
  if (before.includes(threadId) === closed) return false;
  chat.closedTopics = closed ? [...before, threadId] : before.filter((id) => id !== threadId);
  post(core, chat, {
    from: byId,
    threadId,
    service: { kind: closed ? "topicClosed" : "topicReopened" },
  });
  return true;
}

/** Takes the topic and its messages away. */
export function erase(core: Core, chat: Chat, threadId: number): void {
  chat.topics.delete(threadId);
  chat.closedTopics = (chat.closedTopics ?? []).filter((id) => id !== threadId);
  for (const message of chat.messages.values())
    if (message.threadId === threadId) chat.messages.delete(message.id);
  core.changed();
  core.record.add({ kind: "changed", what: "topics", chatId: chat.id });
}
