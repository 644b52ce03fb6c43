import { account, createBot, createUser } from "./accounts.ts";
import type { BotUpdates } from "./bot-updates.ts";
import { connect, disconnect } from "./business.ts";
import type { Core } from "./core.ts";
import { SandboxError } from "./errors.ts";
import type { Faults } from "./faults.ts";
import * as inline from "./inline.ts";
import { requestToJoin } from "./join-requests.ts";
import * as membership from "./membership.ts";
import { webhookInfo } from "./methods/index.ts";
import type { NewTokens } from "./new-tokens.ts";
import type { Outages } from "./outages.ts";
import * as people from "./people.ts";
import { pinBy } from "./pins.ts";
import { chatAt } from "./places.ts";
import { vote } from "./polls.ts";
import { react } from "./reactions.ts";
import { renderMessage } from "./render.ts";
import type { Sandbox } from "./sandbox-types.ts";
import { kindOf } from "./update-kinds.ts";
import { type Bot, newTokenSecret } from "./world.ts";

/** All that can be done to a running sandbox, but for ending it. */
export function actionsOf(
  core: Core,
  parts: {
    addBot(bot: Bot): BotUpdates;
    faults: Faults;
    outages: Outages;
    newTokens: NewTokens;
  },
): Omit<Sandbox, "url" | "close"> {
  const { world } = core;
  const { addBot, faults, outages, newTokens } = parts;
  return {
    record: core.record,
    createUser: (user) => createUser(core, user),
    createBot: (bot) => createBot(core, bot, addBot),
    revokeToken(botId) {
      const bot = world.bot(botId);
      world.replaceToken(bot, `${bot.id}:${newTokenSecret()}`);
      core.changed();
      return account(bot);
    },
    createChat: (chat) => membership.createChat(core, chat),
    addMember: (chatId, memberId, status) => membership.addMember(core, chatId, memberId, status),
    removeMember: (chatId, memberId, how = "left") =>
      membership.removeMember(core, chatId, memberId, how),
    memberStatus: (chatId, memberId) => world.group(chatId).members.get(memberId) ?? "left",
    block: (userId, botId) => membership.setBlocked(core, userId, botId, true),
    unblock: (userId, botId) => membership.setBlocked(core, userId, botId, false),
    deactivateUser(userId) {
      world.person(userId).deactivated = true;
      core.changed();
    },
    send: (what) => people.send(core, what),
    edit: (what) => people.edit(core, what),
    pressButton: (press) => people.pressButton(core, press),
    deleteMessages: (deletion) => people.deleteMessages(core, deletion),
    react: (reaction) => react(core, reaction),
    vote: (cast) => vote(core, cast),
    pin: (pin) => pinBy(core, pin),
    inlineQuery: (question) => inline.ask(core, question),
    inlineResults: (inlineQueryId) => inline.results(core, inlineQueryId),
    chooseInlineResult: (inlineQueryId, resultId) => inline.choose(core, inlineQueryId, resultId),
    requestToJoin: (chatId, userId) => requestToJoin(core, chatId, userId),
    connectBusiness: (connection) => connect(core, connection),
    disconnectBusiness: (connectionId) => disconnect(core, connectionId),
    migrate: (chatId) => membership.migrate(core, chatId),
    pushUpdate: (botId, update) => pushUpdate(core, botId, update),
    messages(place) {
      const chat = chatAt(core, place);
      return [...chat.messages.values()].map((message) => renderMessage(world, chat, message, 0));
    },
    webhookInfo: (botId) => webhookInfo(world.bot(botId), core.updatesOf(botId)),
    fault: (fault) => faults.add(fault),
    clearFaults() {
      outages.clear();
      faults.clear();
    },
    outage: (outage = {}) => outages.begin(outage),
    setLimits(changes) {
      core.limitRules.set(changes);
      // A limit on new tokens is what a server has that has just begun.
      if (changes.newTokensPerMinute !== undefined) newTokens.forget();
    },
    waitFor: (predicate, timeoutMs = 10_000) => core.record.waitFor(predicate, timeoutMs),
  };
}

function pushUpdate(core: Core, botId: number, update: Record<string, unknown>): number {
  const kinds = Object.keys(update).filter((key) => key !== "update_id");
  if (kinds.length !== 1) throw new SandboxError("an update has exactly one kind");
  const { update_id: _given, ...body } = update;
  const id = core.updatesOf(botId).push(body);
  if (id === undefined)
    throw new SandboxError(`bot ${botId} did not ask for ${kindOf(body)} (allowed_updates)`);
  return id;
}
