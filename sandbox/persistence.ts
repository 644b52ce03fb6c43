import type { BotUpdates } from "./bot-updates.ts";
import type { Core } from "./core.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Bot } from "./world.ts";

/** What of the sandbox goes into a snapshot, and how it comes back. */

export function takeSnapshot(
  core: Core,
  updates: Map<number, BotUpdates>,
  clean: boolean,
): Snapshot {
  const { world } = core;
  return {
    version: 1,
    clean,
    next: world.next,
    people: [...world.people.values()],
    bots: [...world.bots.values()],
    chats: [...world.chats.values()],
    files: [...core.fileIndex.values()],
    businessConnections: [...world.businessConnections.values()],
    pending: [...updates].flatMap(([botId, own]) =>
      [...own.pending.values()].map(({ update, expiresAtMs }) => ({ botId, update, expiresAtMs })),
    ),
  };
}

export function restore(core: Core, snapshot: Snapshot, addBot: (bot: Bot) => void): void {
  const { world } = core;
  world.next = snapshot.next;
  for (const person of snapshot.people) world.people.set(person.id, person);
  for (const bot of snapshot.bots) addBot(bot);
  for (const chat of snapshot.chats) world.chats.set(chat.key, chat);
  for (const connection of snapshot.businessConnections ?? [])
    world.businessConnections.set(connection.id, connection);
  for (const file of snapshot.files) core.fileIndex.set(file.key, file);
  for (const { botId, update, expiresAtMs } of snapshot.pending)
    core.updatesOf(botId).pending.add(update, core.clock.now(), expiresAtMs);
}
