import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { connectingBots, NO_SENDS } from "../../test/support/connecting-bots.ts";
import { NO_DOWNLOADS } from "../../test/support/no-downloads.ts";
import { startTestSystem, type TestSystem } from "../../test/support/system.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { recordAudit } from "../audit/index.ts";
import { createKeyring, SealError } from "../platform/index.ts";
import { createBotApiFactory } from "../telegram/index.ts";
import { ConnectorRemoved, createBotApis } from "./bot-apis.ts";
import { healthOfConnectors } from "./connector-health.ts";
import { startConnectorWatch } from "./connector-watch.ts";
import { createConnectors } from "./connectors.ts";
import { createWorkspace } from "./workspaces.ts";

let world: TestSystem;
beforeAll(async () => {
  world = await startTestSystem({ pools: false });
});
afterAll(() => world.close());

const { newBot, connect, rowsOf } = connectingBots(() => world);

test("disconnecting removes the webhook and the credentials, and keeps what was said", async () => {
  const { db, connectors, botApis } = world.system;
  const bot = await world.connectBot();
  await db.query(
    "INSERT INTO chats (workspace_id, connector_id, chat_id, type) VALUES ($1, $2, 5, 'private')",
    [world.workspaceId, bot.connectorId],
  );
  expect(await connectors.remove(world.workspaceId, bot.connectorId)).toEqual({
    removed: true,
    webhookRemoved: true,
    sendsCancelled: 0,
  });
  expect(world.sandbox.webhookInfo(bot.id).url).toBe("");
  const [row] = await db.query(
    `SELECT status, token_sealed, secret_hash, previous_secret_hashes FROM connectors WHERE id = $1`,
    [bot.connectorId],
  );
  expect(row).toEqual({
    status: "removed",
    token_sealed: null,
    secret_hash: null,
    previous_secret_hashes: [],
  });
  const chats = await db.query("SELECT 1 FROM chats WHERE connector_id = $1", [bot.connectorId]);
  expect(chats).toHaveLength(1);
  expect(await connectors.get(world.workspaceId, bot.connectorId)).toBeNull();
  expect(await connectors.update(world.workspaceId, bot.connectorId, { name: "x" })).toBeNull();
  expect(await connectors.remove(world.workspaceId, bot.connectorId)).toBeNull();
  const listed = await connectors.list(world.workspaceId, { limit: 200 });
  expect(listed.map(({ id }) => id)).not.toContain(bot.connectorId);
  const isGone = (error: unknown) => error instanceof ConnectorRemoved;
  await waitFor(() => botApis.forConnector(bot.connectorId).then(() => false, isGone));
});

test("registered again by another process while it is disconnected: no webhook is left at Telegram", async () => {
  const bot = newBot();
  const { id, webhookUrl } = await connect(bot);
  const { db, keyring, log, botApis, config } = world.system;
  const botApi = createBotApiFactory({ apiRoot: config.telegramApiRoot });
  let meanwhile = false;
  const disconnecting = createConnectors({
    db,
    keyring,
    log,
    publicUrl: world.url,
    commands: [],
    sends: NO_SENDS,
    audit: recordAudit,
    botApi,
    botApis: {
      ...botApis,
      forConnector: async () => ({
        ...NO_DOWNLOADS,
        call: async (method, params, limits) => {
          const answer = await botApi(bot.token).call<never>(method, params, limits);
          if (method === "deleteWebhook" && !meanwhile) {
            meanwhile = true;
            await db.query("UPDATE connectors SET webhook_url = NULL WHERE id = $1", [id]);
            expect(await world.system.connectors.repointWebhooks()).toBe(1);
            expect(world.sandbox.webhookInfo(bot.id).url).toBe(webhookUrl);
          }
          return answer;
        },
      }),
    },
  });
  expect(await disconnecting.remove(world.workspaceId, id)).toMatchObject({ webhookRemoved: true });
  expect(world.sandbox.webhookInfo(bot.id).url).toBe("");
});

describe("a process without the key of a bot's token", () => {
  const keyring = createKeyring([{ version: 9, key: randomBytes(32) }]);
  const lost = () => {
    const { db, log, config } = world.system;
    const botApi = createBotApiFactory({ apiRoot: config.telegramApiRoot });
    const botApis = createBotApis({ db, keyring, botApi });
    const connectors = createConnectors({
      db,
      keyring,
      log,
      publicUrl: "https://moved.example.com",
      commands: [],
      sends: NO_SENDS,
      audit: recordAudit,
      botApi,
      botApis,
    });
    return { db, log, botApis, connectors };
  };
  const whole = (id: string) =>
    world.system.db.query("SELECT * FROM connectors WHERE id = $1", [id]);

  test("leaves it as it is, whatever is to be done", async () => {
    const { id } = await connect(newBot());
    const before = await whole(id);
    const { connectors, botApis } = lost();
    await expect(botApis.forConnector(id)).rejects.toBeInstanceOf(SealError);
    expect(await connectors.repointWebhooks()).toBe(0);
    expect(await connectors.test(world.workspaceId, id)).toMatchObject({ ok: false });
    expect(await whole(id)).toEqual(before);
  });

  test("says so where the bot's health is read; a new token, or a farewell, is taken", async () => {
    const bot = newBot();
    const { id } = await connect(bot);
    const { db, log, botApis, connectors } = lost();
    const watch = startConnectorWatch({ db, log, botApis, tickMs: 0 });
    await watch.runOnce();
    await db.query("UPDATE connector_watch SET next_check_at = now()");
    await watch.runOnce();
    await watch.stop();
    const health = await healthOfConnectors(db, world.workspaceId, [id]);
    expect(health.get(id)?.reasons.join()).toContain("ENCRYPTION_KEYS");
    const { token } = world.sandbox.revokeToken(bot.id);
    expect(await connectors.rotate(world.workspaceId, id, token)).toMatchObject({
      status: "active",
    });
    const other = await connect(newBot());
    const removed = await connectors.remove(world.workspaceId, other.id);
    expect(removed).toMatchObject({
      webhookRemoved: false,
      warning: expect.stringMatching(/revoke/),
    });
  });
});

test("after disconnecting, another workspace may connect the bot, and its webhook is another", async () => {
  const bot = newBot();
  const first = await connect(bot);
  await world.system.connectors.remove(world.workspaceId, first.id);
  const other = await createWorkspace(world.system.db, "Next");
  const second = await connect(bot, other.id);
  expect(second.id).not.toBe(first.id);
  expect(second.webhookUrl).not.toBe(first.webhookUrl);
  expect((await rowsOf(bot)).map(({ status }) => status)).toEqual(["removed", "active"]);
});

test("a revoked token still disconnects, with a warning and the manual step", async () => {
  const bot = newBot();
  const { id } = await connect(bot);
  world.sandbox.revokeToken(bot.id);
  const removed = await world.system.connectors.remove(world.workspaceId, id);
  expect(removed).toMatchObject({ removed: true, webhookRemoved: false });
  expect(removed?.warning).toMatch(/@BotFather/);
  expect((await rowsOf(bot)).map(({ status }) => status)).toEqual(["removed"]);
});
