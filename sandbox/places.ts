import { businessChat, connectionOf } from "./business.ts";
import type { Core } from "./core.ts";
import { SandboxError } from "./errors.ts";
import type { Place } from "./sandbox-types.ts";
import { type Chat, isPresent, type StoredMessage } from "./world.ts";

/** Where people mean to do something, and whether they are in a position to. */

/** The chat that a place means to somebody; a private chat is opened by the first message. */
export function chatAt(core: Core, place: Place, userId?: number): Chat {
  const { world } = core;
  if (place.businessConnectionId !== undefined)
    return businessChat(core, connectionOf(core, place.businessConnectionId), place.chatId);
  if (place.chatId < 0) return world.group(place.chatId);
  const asBot = world.bots.get(place.chatId);
  const personId = asBot === undefined ? place.chatId : userId;
  if (personId === undefined)
    throw new SandboxError(`whose private chat with bot ${place.chatId}?`);
  const botId = asBot?.id ?? place.botId ?? onlyBot(core);
  world.bot(botId);
  world.person(personId);
  return world.openPrivateChat(personId, botId);
}

function onlyBot(core: Core): number {
  const [only, another] = core.world.bots.keys();
  if (only === undefined) throw new SandboxError("there is no bot to write to");
  if (another !== undefined)
    throw new SandboxError("there is more than one bot: say which with botId");
  return only;
}

/** The chat, for somebody who is in it and can do things there. */
export function memberChat(core: Core, place: Place, from: number): Chat {
  const person = core.world.person(from);
  if (person.deactivated) throw new SandboxError(`user ${from} is deactivated`);
  const chat = chatAt(core, place, from);
  if (chat.migratedTo !== undefined)
    throw new SandboxError(`group ${chat.id} has become supergroup ${chat.migratedTo}`);
  if (!isPresent(chat.members.get(from)))
    throw new SandboxError(`user ${from} is not a member of chat ${chat.id}`);
  return chat;
}

/** @throws SandboxError 404 */
export function messageIn(chat: Chat, messageId: number): StoredMessage {
  const message = chat.messages.get(messageId);
  if (message === undefined)
    throw new SandboxError(`chat ${chat.id} has no message ${messageId}`, 404);
  return message;
}
