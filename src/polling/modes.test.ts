import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { type PollingWorld, startPollingWorld } from "../../test/support/polling-world.ts";
import type { TestBot } from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";

/** A 409, and installations that change between polling and webhooks. */

let world: PollingWorld;
beforeAll(async () => {
  world = await startPollingWorld();
});
afterEach(() => world.reset());
afterAll(() => world.close());

describe("a 409", () => {
  test("of another poller is told and backed off, and is over when that one stops", async () => {
    const bot = await world.connectBot();
    let isRude = true;
    const rude = async () => {
      while (isRude) {
        await fetch(`${world.sandbox.url}/bot${bot.token}/getUpdates?timeout=20`);
      }
    };
    const elsewhere = rude();
    world.startPoller({ waitS: 1 });
    await waitFor(async () => (await world.rowOf(bot))?.trouble, {
      what: "the trouble to be told",
    });
    const told = (await world.rowOf(bot))?.trouble;
    expect(told).toMatch(/two programs use its token/);
    expect(await world.reasonsOf(bot)).toContain(told);
    isRude = false;
    const polls = world
      .callsOf(bot, "getUpdates")
      .filter(({ params }) => "allowed_updates" in params);
    expect(polls.length).toBeLessThan(10);
    await world.person(bot).say("for somebody");
    await elsewhere;
    await world.person(bot).say("for us");
    await world.allConfirmed(bot);
    expect(await world.textsOf(bot)).toContain("for us");
    await waitFor(async () => (await world.rowOf(bot))?.trouble === null, { what: "no trouble" });
    expect(await world.reasonsOf(bot)).toEqual([]);
  });

  test("of a webhook that somebody set: it goes, and what waits for it is kept", async () => {
    const bot = await world.connectBot();
    const api = await world.system.botApis.forConnector(bot.connectorId);
    await api.call("setWebhook", { url: "http://127.0.0.1:9/nobody" });
    const ada = world.person(bot);
    await ada.say("one");
    await ada.say("two");
    world.startPoller();
    await world.allConfirmed(bot);
    expect(await world.textsOf(bot)).toEqual(["one", "two"]);
    expect(world.sandbox.webhookInfo(bot.id).url).toBe("");
    expect(world.callsOf(bot, "deleteWebhook").at(-1)?.params).toEqual({});
  });
});

describe("a switch of modes", () => {
  const urlOf = async (bot: TestBot) =>
    (await world.system.connectors.get(world.workspaceId, bot.connectorId))?.webhookUrl;

  test("from webhooks to polling and back again loses nothing that waits", async () => {
    const bot = await world.connectBot();
    const ada = world.person(bot);
    const unreachable = world.webhookMode("http://127.0.0.1:9");
    expect(await unreachable.repointWebhooks()).toBe(1);
    expect(await urlOf(bot)).toContain("http://127.0.0.1:9/");
    for (const text of ["one", "two"]) await ada.say(text);

    const poller = world.startPoller();
    await world.allConfirmed(bot);
    expect(await urlOf(bot)).toBeNull();
    await ada.say("three");
    await world.allConfirmed(bot);
    await poller.stop();
    await ada.say("four");

    expect(await world.webhookMode(world.url).repointWebhooks()).toBe(1);
    expect(await urlOf(bot)).toContain(world.url);
    await ada.say("five");
    await world.allConfirmed(bot);
    expect(await world.textsOf(bot)).toEqual(["one", "two", "three", "four", "five"]);
  });

  test("is not undone by polling mode's own web process", async () => {
    const bot = await world.connectBot();
    expect(await world.system.connectors.repointWebhooks()).toBe(0);
    expect(world.callsOf(bot, "setWebhook")).toEqual([]);
  });

  test("while web processes of the former mode still run: whoever registers last is followed", async () => {
    const bot = await world.connectBot();
    const poller = world.startPoller();
    await waitFor(() => poller.bots === 1);
    expect(await world.webhookMode("http://127.0.0.1:9").repointWebhooks()).toBe(1);
    await world.person(bot).say("hello");
    await world.allConfirmed(bot);
    expect(await world.textsOf(bot)).toEqual(["hello"]);
    expect(await urlOf(bot)).toBeNull();
    expect(world.sandbox.webhookInfo(bot.id).url).toBe("");
  });
});
