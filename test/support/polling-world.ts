import { recordAudit } from "../../src/audit/index.ts";
import {
  createBotApis,
  createConnectors,
  healthOfConnectors,
  startConnectorWatch,
} from "../../src/connectors/index.ts";
import { createMetrics, silentLogger } from "../../src/platform/index.ts";
import { type Poller, type PollerOptions, startPoller } from "../../src/polling/index.ts";
import type { Intake } from "../../src/receiver/index.ts";
import { createBotApiFactory } from "../../src/telegram/index.ts";
import { openIntake } from "../../workers/intake.ts";
import { startTestSystem, type TestBot, type TestSystem } from "./system.ts";
import { waitFor } from "./wait-for.ts";

export interface StoredUpdate {
  text: string | null;
  updateId: number;
}

/** A bot's row of `polled_bots`. */
export interface PolledBotRow {
  owner: string | null;
  epoch: string;
  trouble: string | null;
  held_s: number | null;
  until_ms: number | null;
}

/** An installation in polling mode, with pollers as processes of their own have them. */
export interface PollingWorld extends TestSystem {
  /** A process that polls. `around` stands between it and its intake. */
  startPoller(options?: Partial<PollerOptions>, around?: (intake: Intake) => Intake): Poller;
  /** A web process of an installation that Telegram reaches at `publicUrl`. */
  webhookMode(publicUrl: string): ReturnType<typeof createConnectors>;
  /** Somebody who writes to the bot. */
  person(bot: TestBot): { say(text: string): Promise<unknown> };
  /** What is stored of a bot, in the order of its jobs. */
  stored(bot: TestBot): Promise<StoredUpdate[]>;
  textsOf(bot: TestBot): Promise<Array<string | null>>;
  /** Updates that wait at Telegram. */
  pendingOf(bot: TestBot): number;
  allConfirmed(bot: TestBot): Promise<unknown>;
  callsOf(bot: TestBot, method: string): TestSystem["sandbox"]["record"]["calls"];
  rowOf(bot: TestBot): Promise<PolledBotRow | undefined>;
  /** What the integration's health says of a bot that the watch has looked at. */
  reasonsOf(bot: TestBot): Promise<string[] | undefined>;
  /** Stops the pollers and forgets the bots. */
  reset(): Promise<void>;
}

const ROW = `SELECT owner, epoch, trouble, extract(epoch FROM held_until - now())::float8 AS held_s,
  extract(epoch FROM lease_until)::float8 * 1000 AS until_ms
FROM polled_bots WHERE connector_id = $1`;

const STORED = `SELECT b.body, j.payload ->> 'updateId' AS update_id
FROM jobs j JOIN job_bodies b ON b.workspace_id = j.workspace_id AND b.job_id = j.id
WHERE j.payload ->> 'connectorId' = $1 ORDER BY j.id`;

export async function startPollingWorld(): Promise<PollingWorld> {
  const world = await startTestSystem({ updatesMode: "polling", pools: false });
  const { sandbox, system, workspaceId } = world;
  const { db, keyring, connectors, botApis, log, config } = system;
  const pollers: Array<{ poller: Poller; stopIntake(): Promise<void> }> = [];

  async function stored(bot: TestBot): Promise<StoredUpdate[]> {
    const rows = await db.query<{ body: Buffer; update_id: string }>(STORED, [bot.connectorId]);
    return rows.map(({ body, update_id }) => {
      const { message } = JSON.parse(body.toString("utf8")) as { message?: { text?: string } };
      return { text: message?.text ?? null, updateId: Number(update_id) };
    });
  }
  const pendingOf = (bot: TestBot) => sandbox.webhookInfo(bot.id).pending_update_count;

  async function reset(): Promise<void> {
    await Promise.all(
      pollers.splice(0).map(async ({ poller, stopIntake }) => {
        await poller.stop(500);
        await stopIntake();
      }),
    );
    sandbox.clearFaults();
    await db.query("DELETE FROM connectors");
  }

  return {
    ...world,
    startPoller: (options = {}, around = (intake) => intake) => {
      const botApi = createBotApiFactory({ apiRoot: config.telegramApiRoot });
      const own = createBotApis({ db, keyring, botApi });
      const { intake, stop } = openIntake(system);
      const poller = startPoller({
        db,
        botApis: own,
        intake: around(intake),
        connectors: {
          disable: (id, reason) => connectors.disable(id, reason, own.refusedToken(id)),
          withdrawWebhook: connectors.withdrawWebhook,
        },
        metrics: createMetrics({ processMetrics: false }),
        log: silentLogger,
        tickMs: 50,
        ...options,
      });
      pollers.push({ poller, stopIntake: stop });
      return poller;
    },
    webhookMode: (publicUrl) => {
      const botApi = createBotApiFactory({ apiRoot: config.telegramApiRoot });
      const sends = { resume: async () => 0, cancel: async () => 0 };
      return createConnectors({
        db,
        keyring,
        botApi,
        botApis,
        publicUrl,
        commands: [],
        sends,
        audit: recordAudit,
        log,
      });
    },
    person: (bot) => {
      const { id } = sandbox.createUser({ firstName: "Ada" });
      return { say: (text) => sandbox.send({ from: id, chatId: id, botId: bot.id, text }) };
    },
    stored,
    textsOf: async (bot) => (await stored(bot)).map(({ text }) => text),
    pendingOf,
    allConfirmed: (bot) => waitFor(() => pendingOf(bot) === 0, { what: "all to be confirmed" }),
    callsOf: (bot, method) =>
      sandbox.record.calls.filter((call) => call.botId === bot.id && call.method === method),
    rowOf: async (bot) => (await db.query<PolledBotRow>(ROW, [bot.connectorId]))[0],
    reasonsOf: async ({ connectorId }) => {
      const watch = startConnectorWatch({ db, botApis, log, tickMs: 0 });
      await watch.runOnce();
      await watch.stop();
      return (await healthOfConnectors(db, workspaceId, [connectorId])).get(connectorId)?.reasons;
    },
    reset,
    close: async () => {
      await reset();
      await world.close();
    },
  };
}
