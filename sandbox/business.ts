import { type Core, unixTime } from "./core.ts";
import { SandboxError } from "./errors.ts";
import type { NewBusinessConnection } from "./person-actions.ts";
import { renderPerson } from "./render.ts";
import { type BusinessConnection, type Chat, newChat, newId } from "./world.ts";

/**
 * Accounts that a bot looks after: it hears what the user and the user's customers write to each
 * other, and may write in the user's name (Bot API: BusinessConnection). Their chats are between
 * two people, with message ids of the account's own.
 */

export function connect(core: Core, made: NewBusinessConnection): string {
  const { world } = core;
  world.person(made.userId);
  world.bot(made.botId);
  const connection: BusinessConnection = {
    id: `bc${newId()}`,
    userId: made.userId,
    botId: made.botId,
    date: unixTime(core),
    isEnabled: true,
    canReply: made.canReply ?? true,
  };
  world.businessConnections.set(connection.id, connection);
  tell(core, connection);
  return connection.id;
}

export function disconnect(core: Core, connectionId: string): void {
  const connection = connectionOf(core, connectionId);
  if (!connection.isEnabled) return;
  connection.isEnabled = false;
  tell(core, connection);
}

function tell(core: Core, connection: BusinessConnection): void {
  core.changed();
  core
    .updatesOf(connection.botId)
    .push({ business_connection: renderConnection(core, connection) });
  core.record.add({
    kind: "changed",
    what: "business connections",
    businessConnectionId: connection.id,
    botId: connection.botId,
  });
}

/** Bot API: BusinessConnection. */
export function renderConnection(core: Core, connection: BusinessConnection) {
  return {
    id: connection.id,
    user: renderPerson(core.world.person(connection.userId)),
    user_chat_id: connection.userId,
    date: connection.date,
    rights: { ...(connection.canReply && { can_reply: true }) },
    is_enabled: connection.isEnabled,
  };
}

/** @throws SandboxError 404 */
export function connectionOf(core: Core, connectionId: string): BusinessConnection {
  const connection = core.world.businessConnections.get(connectionId);
  if (connection === undefined)
    throw new SandboxError(`no business connection ${connectionId}`, 404);
  return connection;
}

/** The chat of a connected account with a customer, made when they first write. */
export function businessChat(core: Core, connection: BusinessConnection, customerId: number): Chat {
  const { world } = core;
  const { userId } = connection;
  world.person(customerId);
  if (customerId === userId) throw new SandboxError(`user ${userId} is the account's own`);
  const key = `business:${userId}:${customerId}`;
  let chat = world.chats.get(key);
  if (chat === undefined) {
    chat = newChat({ key, id: customerId, type: "private", businessUserId: userId });
    chat.members.set(userId, "member");
    chat.members.set(customerId, "member");
    world.chats.set(key, chat);
  }
  return chat;
}

/** The connection by which this bot sees a chat; undefined where it needs none, or has none now. */
export function connectionIdFor(core: Core, chat: Chat, botId: number): string | undefined {
  if (chat.businessUserId === undefined) return undefined;
  for (const connection of core.world.businessConnections.values())
    if (
      connection.isEnabled &&
      connection.userId === chat.businessUserId &&
      connection.botId === botId
    )
      return connection.id;
  return undefined;
}

/** Gives each bot that looks after this chat's account an update, made for its connection. */
export function tellBusinessBots(
  core: Core,
  chat: Chat,
  updateFor: (connection: BusinessConnection) => Record<string, unknown>,
  exceptBotId?: number,
): void {
  for (const connection of core.world.businessConnections.values())
    if (
      connection.isEnabled &&
      connection.userId === chat.businessUserId &&
      connection.botId !== exceptBotId
    )
      core.updatesOf(connection.botId).push(updateFor(connection));
}
