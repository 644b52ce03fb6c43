import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startTestSystem, type TestBot, type TestSystem } from "../../test/support/system.ts";
import { healthOfConnectors } from "./connector-health.ts";
import { startConnectorWatch } from "./connector-watch.ts";
import { wordsOfLost } from "./standing-warnings.ts";
import { driftOfWebhook, repairDrift } from "./webhook-drift.ts";

const URL = "https://bots.example.com/webhooks/telegram/key";
const KINDS = ["message", "callback_query"];

describe("a webhook that is not as it was registered", () => {
  test.each([
    [{ url: URL, allowed_updates: [...KINDS, "poll"] }, URL, null],
    [{ url: "", allowed_updates: KINDS }, null, null],
    [{ url: "", allowed_updates: KINDS }, URL, { what: /no webhook/, isOfKinds: false }],
    [{ url: "https://else.example" }, URL, { what: /another address/, isOfKinds: false }],
    [
      { url: URL, allowed_updates: ["message"] },
      URL,
      { what: /: callback_query/, isOfKinds: true },
    ],
  ])("%j, registered as %s", (info, registered, drift) => {
    const found = driftOfWebhook(info, registered, KINDS);
    if (drift === null) expect(found).toBeNull();
    else expect(found).toEqual({ ...drift, what: expect.stringMatching(drift.what) });
  });

  test("chats that the bot was put out of are named, not more than are worth reading", () => {
    const chats = [1, 2, 3, 4, 5, 6].map((n) => ({
      chatId: `-10${n}`,
      type: "supergroup" as const,
      title: n === 1 ? "Ops" : null,
    }));
    expect(wordsOfLost([])).toEqual([]);
    expect(wordsOfLost(chats.slice(0, 2))).toEqual([expect.stringContaining(": Ops, -102.")]);
    expect(wordsOfLost(chats)).toEqual([expect.stringContaining("-105 and others.")]);
  });
});

describe("the watch", () => {
  let world: TestSystem;
  beforeAll(async () => {
    world = await startTestSystem({ pools: false });
  });
  afterAll(() => world.close());

  async function look(): Promise<void> {
    const { db, botApis, log } = world.system;
    const watch = startConnectorWatch({ db, botApis, log, tickMs: 0 });
    await watch.runOnce();
    await db.query("UPDATE connector_watch SET next_check_at = now()");
    await watch.runOnce();
    await watch.stop();
  }

  const urlOf = async (bot: TestBot) =>
    (
      await world.system.db.query<{ webhook_url: string | null }>(
        "SELECT webhook_url FROM connectors WHERE id = $1",
        [bot.connectorId],
      )
    )[0]?.webhook_url;

  const driftOf = async (bot: TestBot) => {
    const ids = [bot.connectorId];
    const health = await healthOfConnectors(world.system.db, world.workspaceId, ids);
    return health.get(bot.connectorId)?.lastDrift;
  };

  async function takeAway(bot: TestBot): Promise<void> {
    const api = await world.system.botApis.forConnector(bot.connectorId);
    await api.call("deleteWebhook");
  }

  test("writes a drift down and has the webhook registered again; one that comes at once waits", async () => {
    const bot = await world.connectBot();
    const registered = await urlOf(bot);
    await look();
    expect(await driftOf(bot)).toBeNull();
    await takeAway(bot);
    await look();
    expect(await urlOf(bot)).toBeNull();
    expect(await world.system.connectors.repointWebhooks()).toBe(1);
    expect(world.sandbox.webhookInfo(bot.id).url).toBe(registered);
    expect(await driftOf(bot)).toMatchObject({
      what: expect.stringMatching(/no webhook/),
      times: 1,
    });

    await takeAway(bot);
    await look();
    expect(await urlOf(bot)).toBe(registered);
    await world.system.db.query("UPDATE connector_watch SET drift_at = now() - interval '3 min'");
    await look();
    expect(await urlOf(bot)).toBeNull();
    expect(await driftOf(bot)).toMatchObject({ times: 2 });
  });

  test("kinds that are missing again after a registration are left for the day", async () => {
    const bot = await world.connectBot();
    await look();
    const { db } = world.system;
    const registered = (await urlOf(bot)) ?? null;
    const kinds = { what: "Telegram does not deliver any more: poll.", isOfKinds: true };
    const mend = (drift = kinds) =>
      db.transaction((tx) => repairDrift(tx, bot.connectorId, registered, drift));
    const pass = (hours: number) =>
      db.query("UPDATE connector_watch SET drift_at = drift_at - $1 * interval '1 hour'", [hours]);
    expect(await mend()).toBe(1);
    await pass(2);
    expect(await mend()).toBeNull();
    expect(await mend({ what: "another", isOfKinds: true })).toBe(2);
    await pass(25);
    expect(await mend()).toBe(1);
  });

  test("registered by somebody since it was looked at: it stays as they registered it", async () => {
    const bot = await world.connectBot();
    await look();
    const registered = await urlOf(bot);
    const drift = { what: "gone", isOfKinds: false };
    await world.system.db.transaction((tx) =>
      repairDrift(tx, bot.connectorId, "https://old.example/webhooks/telegram/k", drift),
    );
    expect(await urlOf(bot)).toBe(registered);
  });

  test("a linked group that the bot was put out of is told where its connector is read", async () => {
    const bot = await world.connectBot();
    const path = `/v1/connectors/${bot.connectorId}`;
    await world.api("PUT", `${path}/chats/-1001`, { linked: true });
    const warnings = async () =>
      ((await world.api("GET", path)).body as { warnings: string[] }).warnings;
    expect(await warnings()).toEqual([]);
    await world.system.db.query("UPDATE chats SET reachable = false, title = 'Ops'");
    expect(await warnings()).toEqual([expect.stringMatching(/put out.*: Ops\./)]);
  });
});
