import { type Core, unixTime } from "./core.ts";
import { SandboxError } from "./errors.ts";
import { addMember, livingGroup } from "./membership.ts";
import { renderChat, renderPerson } from "./render.ts";
import { type Chat, isPresent } from "./world.ts";

/** People who ask to be let in; bots that administer the chat hear of it and may decide. */

export function requestToJoin(core: Core, chatId: number, userId: number): void {
  const { world } = core;
  const chat = livingGroup(core, chatId);
  const person = world.person(userId);
  const status = chat.members.get(userId);
  if (isPresent(status)) throw new SandboxError(`user ${userId} is in chat ${chatId} already`, 409);
  if (status === "kicked") throw new SandboxError(`user ${userId} is banned from chat ${chatId}`);
  chat.joinRequests ??= new Map();
  if (chat.joinRequests.has(userId))
    throw new SandboxError(`user ${userId} has asked already`, 409);
  const date = unixTime(core);
  chat.joinRequests.set(userId, date);
  core.changed();
  for (const [id, memberStatus] of chat.members)
    if (memberStatus === "administrator" && world.bots.has(id))
      core.updatesOf(id).push({
        chat_join_request: {
          chat: renderChat(world, chat),
          from: renderPerson(person),
          user_chat_id: userId,
          date,
        },
      });
  core.record.add({ kind: "changed", what: "join requests", chatId });
}

/** False when there is no such request. */
export function decide(core: Core, chat: Chat, userId: number, isLetIn: boolean): boolean {
  if (chat.joinRequests?.delete(userId) !== true) return false;
  core.changed();
  if (isLetIn) addMember(core, chat.id, userId);
  core.record.add({ kind: "changed", what: "join requests", chatId: chat.id });
  return true;
}
