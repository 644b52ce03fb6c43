import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { type PollingWorld, startPollingWorld } from "../../test/support/polling-world.ts";
import type { TestBot } from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { Database } from "../platform/index.ts";

/** Which process asks for which bot, with several of them. */

let world: PollingWorld;
beforeAll(async () => {
  world = await startPollingWorld();
});
afterEach(() => world.reset());
afterAll(() => world.close());

describe("a bot in polling mode", () => {
  test("is connected without a webhook; what waits is taken in order, stored once, and confirmed", async () => {
    const bot = await world.connectBot();
    expect(world.callsOf(bot, "setWebhook")).toEqual([]);
    expect(world.callsOf(bot, "setMyCommands").length).toBeGreaterThan(0);
    const { connectors } = world.system;
    expect((await connectors.get(world.workspaceId, bot.connectorId))?.warnings).toEqual([]);
    const tested = await connectors.test(world.workspaceId, bot.connectorId);
    expect(tested?.checks.filter(({ ok }) => !ok).map(({ name }) => name)).not.toContain("webhook");
    const ada = world.person(bot);
    const texts = Array.from({ length: 130 }, (_, n) => `m${n}`);
    for (const text of texts) await ada.say(text);
    world.startPoller();
    await world.allConfirmed(bot);
    expect(await world.textsOf(bot)).toEqual(texts);
    await ada.say("one more");
    await world.allConfirmed(bot);
    expect(await world.textsOf(bot)).toEqual([...texts, "one more"]);
    expect(world.callsOf(bot, "setWebhook")).toEqual([]);
  });

  test("is confirmed once; after that no number is sent, since Telegram may begin anew", async () => {
    const bot = await world.connectBot();
    await world.person(bot).say("hello");
    world.startPoller({ waitS: 1 });
    await world.allConfirmed(bot);
    const polls = await waitFor(() => {
      const calls = world.callsOf(bot, "getUpdates");
      return calls.length >= 3 && calls;
    });
    const [first] = await world.stored(bot);
    const offsets = polls.slice(0, 3).map(({ params }) => params.offset);
    expect(offsets).toEqual([undefined, (first?.updateId ?? 0) + 1, undefined]);
  });

  test("is asked for the kinds that a webhook gets", async () => {
    const polled = await world.connectBot();
    const poller = world.startPoller();
    const kindsOf = ({ id }: TestBot) => world.sandbox.webhookInfo(id).allowed_updates;
    const kinds = await waitFor(() => kindsOf(polled));
    await poller.stop();
    const sent = await world.connectBot();
    expect(kindsOf(sent)).toBeUndefined();
    expect(await world.webhookMode("http://127.0.0.1:9").repointWebhooks()).toBe(2);
    expect(kindsOf(sent)).toEqual(kinds);
  });
});

describe("which process asks", () => {
  test("is one a bot: of two that start together neither meets the other, and all is stored once", async () => {
    const bots = await Promise.all(Array.from({ length: 8 }, () => world.connectBot()));
    const both = [world.startPoller(), world.startPoller()];
    await waitFor(() => both.reduce((sum, { bots: n }) => sum + n, 0) === bots.length);
    const people = bots.map(world.person);
    for (let n = 0; n < 5; n++) await Promise.all(people.map(({ say }) => say(`m${n}`)));
    for (const bot of bots) {
      await world.allConfirmed(bot);
      expect(await world.textsOf(bot)).toEqual(["m0", "m1", "m2", "m3", "m4"]);
      expect(world.callsOf(bot, "getUpdates").filter(({ status }) => status === 409)).toEqual([]);
      expect((await world.rowOf(bot))?.epoch).toBe("1");
    }
  });

  test("changes when one stops: it confirms what it has committed and hands the bot back", async () => {
    const bot = await world.connectBot();
    const ada = world.person(bot);
    const stops: Promise<void>[] = [];
    const first = world.startPoller({}, (intake) => ({
      ...intake,
      takeInOrder: async (...args) => {
        const taken = await intake.takeInOrder(...args);
        stops.push(first.stop());
        return taken;
      },
    }));
    await ada.say("one");
    await waitFor(() => stops.length > 0, { what: "the stop" });
    await Promise.all(stops);
    expect(world.pendingOf(bot)).toBe(0);
    expect(await world.rowOf(bot)).toMatchObject({ owner: null });
    await ada.say("two");
    world.startPoller();
    await world.allConfirmed(bot);
    expect(await world.textsOf(bot)).toEqual(["one", "two"]);
    expect(world.sandbox.record.deliveries.filter(({ botId }) => botId === bot.id)).toHaveLength(2);
  });

  test("changes when a lease has run out; the former holder stores nothing, and asks no more", async () => {
    const bot = await world.connectBot();
    const ada = world.person(bot);
    let tries = 0;
    const stolen = world.startPoller({}, (intake) => ({
      ...intake,
      takeInOrder: async (...args) => {
        tries++;
        await world.system.db.query(
          `UPDATE polled_bots SET owner = gen_random_uuid(), epoch = epoch + 1,
             lease_until = now() + interval '10 s'`,
        );
        return intake.takeInOrder(...args);
      },
    }));
    await ada.say("one");
    await waitFor(() => tries > 0 && stolen.bots === 0, { what: "the loss to be seen" });
    expect(tries).toBe(1);
    expect(await world.textsOf(bot)).toEqual([]);
    expect(world.pendingOf(bot)).toBe(1);
    await world.system.db.query("UPDATE polled_bots SET lease_until = now() - interval '1 s'");
    await stolen.stop();
    world.startPoller();
    await world.allConfirmed(bot);
    expect(await world.textsOf(bot)).toEqual(["one"]);
  });

  test("is found though a clock that went back has left a lease that lasts a year", async () => {
    const bot = await world.connectBot();
    await world.system.db.query(
      `INSERT INTO polled_bots (workspace_id, connector_id, owner, epoch, lease_until)
       VALUES ($1, $2, gen_random_uuid(), 7, now() + interval '1 year')`,
      [world.workspaceId, bot.connectorId],
    );
    const poller = world.startPoller();
    await waitFor(() => poller.bots === 1);
    expect((await world.rowOf(bot))?.epoch).toBe("8");
  });

  test("is another's concern while its row is locked: the others are taken meanwhile", async () => {
    const [locked, free] = [await world.connectBot(), await world.connectBot()];
    const former = world.startPoller();
    await waitFor(() => former.bots === 2);
    await former.stop();
    const { db } = world.system;
    await db.transaction(async (tx) => {
      await tx.query("SELECT 1 FROM polled_bots WHERE connector_id = $1 FOR SHARE", [
        locked.connectorId,
      ]);
      const poller = world.startPoller();
      await world.person(free).say("hello");
      await world.allConfirmed(free);
      expect(poller.bots).toBe(1);
    });
    await waitFor(async () => (await world.rowOf(locked))?.owner);
  });

  test("changes when a process cannot reach the database: it asks no more once its lease is over", async () => {
    const bot = await world.connectBot();
    const { db } = world.system;
    let hangs = false;
    const hanging: Database = {
      ...db,
      query: async (sql, params) => {
        if (hangs && sql.startsWith("/* polling.look")) await new Promise(() => {});
        return db.query(sql, params);
      },
    };
    const cutOff = world.startPoller({ db: hanging, leaseMs: 400 });
    await waitFor(() => cutOff.bots === 1);
    hangs = true;
    const other = world.startPoller({ leaseMs: 400 });
    await waitFor(() => cutOff.bots === 0 && other.bots === 1);
    await world.person(bot).say("hello");
    await world.allConfirmed(bot);
    expect(await world.textsOf(bot)).toEqual(["hello"]);
  });

  test("lasts, lease after lease, while it is well", async () => {
    const bot = await world.connectBot();
    const poller = world.startPoller({ leaseMs: 300 });
    await waitFor(() => poller.bots === 1);
    const other = world.startPoller({ leaseMs: 300 });
    const first = await world.rowOf(bot);
    await waitFor(
      async () => ((await world.rowOf(bot))?.until_ms ?? 0) > (first?.until_ms ?? 0) + 900,
    );
    expect([poller.bots, other.bots]).toEqual([1, 0]);
    expect((await world.rowOf(bot))?.epoch).toBe("1");
  });
});

describe("many bots in one process", () => {
  test("fifty, of which one hangs at Telegram and one in the database: the others come in", async () => {
    const bots: TestBot[] = [];
    for (let n = 0; n < 50; n++) bots.push(await world.connectBot());
    const [hanging, lagging, ...well] = bots as [TestBot, TestBot, ...TestBot[]];
    world.sandbox.fault({ botId: hanging.id, method: "getUpdates", answer: "hang", times: 1_000 });
    let letGo: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    let atOnce = 0;
    let most = 0;
    const poller = world.startPoller({ slots: 4 }, (intake) => ({
      ...intake,
      takeInOrder: async (owner, updates, guard) => {
        most = Math.max(most, ++atOnce);
        if (owner.connectorId === lagging.connectorId) await gate;
        return intake.takeInOrder(owner, updates, guard).finally(() => atOnce--);
      },
    }));
    const people = bots.map(world.person);
    for (let n = 0; n < 3; n++) await Promise.all(people.map(({ say }) => say(`m${n}`)));
    for (const bot of well) await world.allConfirmed(bot);
    expect(poller.bots).toBe(50);
    for (const bot of well) expect(await world.textsOf(bot)).toEqual(["m0", "m1", "m2"]);
    // Nothing more is asked for while what came is not committed.
    expect(world.callsOf(lagging, "getUpdates").length).toBeLessThanOrEqual(1);
    expect(await world.textsOf(lagging)).toEqual([]);
    letGo();
    await world.allConfirmed(lagging);
    expect(await world.textsOf(lagging)).toEqual(["m0", "m1", "m2"]);
    expect(world.pendingOf(hanging)).toBe(3);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(4);
  });

  test("takes no more of them than it may", async () => {
    for (let n = 0; n < 3; n++) await world.connectBot();
    const small = world.startPoller({ maxBots: 2 });
    await waitFor(() => small.bots === 2);
    const rest = world.startPoller();
    await waitFor(() => rest.bots === 1);
    expect(small.bots).toBe(2);
  });
});
