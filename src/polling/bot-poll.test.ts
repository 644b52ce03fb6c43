import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { NO_DOWNLOADS } from "../../test/support/no-downloads.ts";
import { type PollingWorld, startPollingWorld } from "../../test/support/polling-world.ts";
import { type TestBot, textUpdate } from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { BotApis } from "../connectors/index.ts";

/** One bot's updates, while something happens to the bot, to Telegram or to the database. */

let world: PollingWorld;
beforeAll(async () => {
  world = await startPollingWorld();
});
afterEach(() => world.reset());
afterAll(() => world.close());

describe("a bot that is", () => {
  test("removed is asked for no more, and nothing of it is stored after that", async () => {
    const [bot, other] = [await world.connectBot(), await world.connectBot()];
    const poller = world.startPoller();
    await waitFor(() => poller.bots === 2);
    const ada = world.person(bot);
    await world.system.connectors.remove(world.workspaceId, bot.connectorId);
    await waitFor(() => poller.bots === 1);
    await ada.say("too late");
    await world.person(other).say("in time");
    await world.allConfirmed(other);
    expect(await world.textsOf(bot)).toEqual([]);
    expect(world.pendingOf(bot)).toBe(1);
  });

  test("removed while its updates are on their way: they are not stored", async () => {
    const bot = await world.connectBot();
    let tries = 0;
    const poller = world.startPoller({}, (intake) => ({
      ...intake,
      takeInOrder: async (...args) => {
        tries++;
        await world.system.connectors.remove(world.workspaceId, bot.connectorId);
        return intake.takeInOrder(...args);
      },
    }));
    await world.person(bot).say("hello");
    await waitFor(() => tries > 0 && poller.bots === 0);
    expect(await world.textsOf(bot)).toEqual([]);
  });

  test("disabled is asked for no more, until it is active again", async () => {
    const bot = await world.connectBot();
    const poller = world.startPoller();
    await waitFor(() => poller.bots === 1);
    await world.system.connectors.disable(bot.connectorId, "Telegram refuses the bot's token.");
    await waitFor(() => poller.bots === 0);
    await world.person(bot).say("later");
    await world.system.db.query("UPDATE connectors SET status = 'active', status_detail = NULL");
    await world.allConfirmed(bot);
    expect(await world.textsOf(bot)).toEqual(["later"]);
  });

  test("connected meanwhile is found", async () => {
    const poller = world.startPoller();
    const bot = await world.connectBot();
    await world.person(bot).say("first words");
    await world.allConfirmed(bot);
    expect(await world.textsOf(bot)).toEqual(["first words"]);
    expect(poller.bots).toBe(1);
  });

  test("given a new token is asked for with it, also when it was disabled for the old one", async () => {
    const bot = await world.connectBot();
    const poller = world.startPoller();
    await waitFor(() => poller.bots === 1);
    const { token } = world.sandbox.revokeToken(bot.id);
    const { connectors } = world.system;
    await connectors.disable(bot.connectorId, "Telegram refuses the bot's token.");
    await waitFor(() => poller.bots === 0);
    const rotated = await connectors.rotate(world.workspaceId, bot.connectorId, token);
    expect(rotated).toMatchObject({ status: "active", webhookUrl: null, warnings: [] });
    await world.person(bot).say("with the new one");
    await world.allConfirmed(bot);
    expect(await world.textsOf(bot)).toEqual(["with the new one"]);
    expect(world.callsOf(bot, "setWebhook")).toEqual([]);
  });

  test("refused for good is disabled, and one whose token was replaced is not", async () => {
    const [revoked, replaced] = [await world.connectBot(), await world.connectBot()];
    const poller = world.startPoller();
    await waitFor(() => poller.bots === 2);
    world.sandbox.fault({
      botId: replaced.id,
      method: "getUpdates",
      answer: { status: 401, description: "Unauthorized" },
    });
    world.sandbox.revokeToken(revoked.id);
    await world.person(replaced).say("wakes the request that waits");
    await world.person(revoked).say("nobody hears this");
    const statusOf = async ({ connectorId }: TestBot) =>
      (await world.system.connectors.get(world.workspaceId, connectorId))?.status;
    await waitFor(async () => (await statusOf(revoked)) === "disabled");
    await waitFor(() => poller.bots === 1);
    await world.allConfirmed(replaced);
    expect(await statusOf(replaced)).toBe("active");
    expect(world.callsOf(replaced, "getUpdates").some(({ status }) => status === 401)).toBe(true);
  });
});

describe("what goes wrong", () => {
  test("a commit that fails: the updates come again, once and in order", async () => {
    const bot = await world.connectBot();
    const ada = world.person(bot);
    for (const text of ["one", "two", "three"]) await ada.say(text);
    let failures = 0;
    world.startPoller({}, (intake) => ({
      ...intake,
      takeInOrder: async (...args) => {
        if (failures++ < 2) throw Object.assign(new Error("cut"), { code: "57P01" });
        return intake.takeInOrder(...args);
      },
    }));
    await world.allConfirmed(bot);
    expect(await world.textsOf(bot)).toEqual(["one", "two", "three"]);
    expect(failures).toBe(3);
  });

  test("a commit whose answer is lost: what comes again is known by its key", async () => {
    const bot = await world.connectBot();
    await world.person(bot).say("one");
    const all: string[] = [];
    world.startPoller({}, (intake) => ({
      ...intake,
      takeInOrder: async (...args) => {
        const taken = await intake.takeInOrder(...args);
        all.push(...taken);
        if (all.length === 1) throw Object.assign(new Error("cut"), { code: "57P01" });
        return taken;
      },
    }));
    await world.allConfirmed(bot);
    expect(all).toEqual(["accepted", "duplicate"]);
    expect(await world.textsOf(bot)).toEqual(["one"]);
  });

  test("an update that the database refuses is passed over, alone, and told as missing", async () => {
    const bot = await world.connectBot();
    const ada = world.person(bot);
    for (const text of ["one", "poison", "three"]) await ada.say(text);
    world.startPoller({}, (intake) => ({
      ...intake,
      takeInOrder: async (owner, updates, guard) => {
        if (updates.some(({ body }) => body.includes("poison"))) {
          throw Object.assign(new Error("refused"), { code: "22P05" });
        }
        return intake.takeInOrder(owner, updates, guard);
      },
    }));
    await world.allConfirmed(bot);
    expect(await world.textsOf(bot)).toEqual(["one", "three"]);
    const ids = (await world.stored(bot)).map(({ updateId }) => updateId);
    const noted = async () => {
      const [row] = await world.system.db.query<{ runs: string | null }>(
        "SELECT range_agg(run)::text AS runs FROM seen_updates, unnest(update_ids) run",
      );
      return row?.runs;
    };
    const [one = 0, three = 0] = ids;
    await waitFor(async () => (await noted()) === `{[${one},${one + 1}),[${three},${three + 1})}`);
  });

  test("429: the bot is left alone as long as Telegram says, whoever takes it next", async () => {
    const bot = await world.connectBot();
    world.sandbox.fault({
      botId: bot.id,
      method: "getUpdates",
      answer: { status: 429, description: "Too Many Requests", parameters: { retry_after: 600 } },
    });
    const first = world.startPoller();
    await waitFor(async () => ((await world.rowOf(bot))?.held_s ?? 0) > 590);
    await first.stop();
    const second = world.startPoller();
    await waitFor(() => second.bots === 1);
    await world.person(bot).say("later");
    const other = await world.connectBot();
    await world.person(other).say("not held");
    await world.allConfirmed(other);
    expect(world.callsOf(bot, "getUpdates")).toHaveLength(1);
    await second.stop();
    await world.system.db.query("UPDATE polled_bots SET held_until = now() - interval '1 s'");
    world.startPoller();
    await world.allConfirmed(bot);
  });

  test("answers that no Telegram gives: what can be read of them is kept, and the rest passed over", async () => {
    const bot = await world.connectBot();
    let deep: unknown = 1;
    for (let n = 0; n < 300; n++) deep = [deep];
    const answers: unknown[] = [
      {},
      [null, { message: {} }],
      [{ update_id: 7, message: deep }, textUpdate(8, 5, 1, "readable")],
    ];
    const { botApis } = world.system;
    const strange: BotApis = {
      ...botApis,
      forConnector: async (id) => {
        const api = await botApis.forConnector(id);
        return {
          ...NO_DOWNLOADS,
          call: async <Result>(method: string, params?: Record<string, unknown>, limits = {}) =>
            method === "getUpdates" && answers.length > 0
              ? (answers.shift() as Result)
              : api.call<Result>(method, params, limits),
        };
      },
    };
    world.startPoller({ botApis: strange });
    await waitFor(() => answers.length === 0);
    await world.person(bot).say("hello");
    await world.allConfirmed(bot);
    expect(await world.textsOf(bot)).toEqual(["readable", "hello"]);
  });

  test("a Telegram that answers with errors and nonsense, then recovers", async () => {
    const bot = await world.connectBot();
    for (const answer of ["html", "reset-before-effect", "reset-after-effect"] as const) {
      world.sandbox.fault({ botId: bot.id, method: "getUpdates", answer });
    }
    await world.person(bot).say("hello");
    world.startPoller();
    await world.allConfirmed(bot);
    expect(await world.textsOf(bot)).toEqual(["hello"]);
  });
});
