import type { Core } from "./core.ts";
import { SandboxError } from "./errors.ts";
import { renderPerson } from "./render.ts";
import type { BotAccount, NewBot, NewUser } from "./sandbox-types.ts";
import type { TelegramUser } from "./telegram-objects.ts";
import { type Bot, firstUpdateId, newTokenSecret } from "./world.ts";

/** How people and bots come into being. */

export function createUser(core: Core, user: NewUser): TelegramUser {
  const { world } = core;
  if (user.firstName.trim() === "") throw new SandboxError("a user needs a first name");
  if (user.id !== undefined && (!Number.isSafeInteger(user.id) || user.id < 1))
    throw new SandboxError(`a user's id is a positive integer, not ${user.id}`);
  let id = user.id;
  if (id === undefined) {
    do id = world.next.user++;
    while (world.people.has(id) || world.bots.has(id));
  }
  if (world.people.has(id) || world.bots.has(id)) throw new SandboxError(`id ${id} is taken`, 409);
  const person = {
    id,
    firstName: user.firstName,
    ...(user.lastName !== undefined && { lastName: user.lastName }),
    ...(user.username !== undefined && { username: user.username }),
    ...(user.languageCode !== undefined && { languageCode: user.languageCode }),
    deactivated: false,
  };
  world.people.set(id, person);
  core.changed();
  core.record.add({ kind: "changed", what: "users", userId: id });
  return renderPerson(person);
}

export function createBot(core: Core, made: NewBot, add: (bot: Bot) => void): BotAccount {
  const { world } = core;
  if (!/^[A-Za-z]\w{2,30}$/.test(made.username) || !/bot$/i.test(made.username))
    throw new SandboxError(
      `a bot's username is letters, digits and _, and ends in "bot": "${made.username}" does not`,
    );
  if (made.name.trim() === "") throw new SandboxError("a bot needs a name");
  for (const other of world.bots.values())
    if (other.username.toLowerCase() === made.username.toLowerCase())
      throw new SandboxError(`there is a bot @${other.username} already`, 409);
  let id: number;
  if (made.token === undefined) {
    do id = world.next.bot++;
    while (world.people.has(id) || world.bots.has(id));
  } else {
    if (!/^\d{1,15}:[\w-]{20,}$/.test(made.token))
      throw new SandboxError(
        "a bot token is its id, a colon and at least 20 letters, digits, _ or -",
      );
    id = Number(made.token.split(":")[0]);
  }
  if (world.people.has(id) || world.bots.has(id)) throw new SandboxError(`id ${id} is taken`, 409);
  const bot: Bot = {
    id,
    token: made.token ?? `${id}:${newTokenSecret()}`,
    name: made.name,
    username: made.username,
    canReadAllGroupMessages: made.canReadAllGroupMessages ?? false,
    ...(made.inline !== undefined && { inline: made.inline }),
    ...(made.inlineFeedback !== undefined && { inlineFeedback: made.inlineFeedback }),
    contacts: new Map(),
    nextUpdateId: firstUpdateId(),
    nextMessageId: 1,
    webhook: null,
    allowedUpdates: null,
    commands: new Map(),
    texts: new Map(),
  };
  add(bot);
  core.changed();
  core.record.add({ kind: "changed", what: "bots", botId: id });
  return account(bot);
}

export function account(bot: Bot): BotAccount {
  return { id: bot.id, token: bot.token, name: bot.name, username: bot.username };
}
