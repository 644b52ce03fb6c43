import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { type BotAccount, type Sandbox, startSandbox } from "../sandbox/index.ts";
import { recordAudit } from "../src/audit/index.ts";
import { createBotApis, createConnectors, createWorkspace } from "../src/connectors/index.ts";
import { migrateTransport } from "../src/jobs/index.ts";
import {
  createKeyring,
  loadConfig,
  parseEncryptionKeys,
  silentLogger,
} from "../src/platform/index.ts";
import { createBotApiFactory } from "../src/telegram/index.ts";
import { openSystem } from "../workers/system.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { newEncryptionKeys, startProcess } from "./support/processes.ts";
import type { RunningScript } from "./support/script.ts";
import { waitFor } from "./support/wait-for.ts";

/** Pollers as processes of their own, which are killed, and told to stop. */

let database: TestDatabase;
let sandbox: Sandbox;
let bot: BotAccount;
let connectorId = "";
let userId = 0;
const encryptionKeys = newEncryptionKeys();
const processes: RunningScript[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  await migrateTransport(database.db);
  sandbox = await startSandbox({ port: 0 });
  const { db } = database;
  const keyring = createKeyring(parseEncryptionKeys(encryptionKeys));
  const botApi = createBotApiFactory({ apiRoot: sandbox.url });
  const botApis = createBotApis({ db, keyring, botApi });
  const connectors = createConnectors({
    db,
    keyring,
    botApi,
    botApis,
    publicUrl: null,
    commands: [],
    sends: { resume: async () => 0, cancel: async () => 0 },
    audit: recordAudit,
    log: silentLogger,
  });
  const { id: workspaceId } = await createWorkspace(db, "Test");
  const username = `b${randomBytes(4).toString("hex")}_bot`;
  bot = sandbox.createBot({ name: "Bot", username });
  userId = sandbox.createUser({ firstName: "Ada" }).id;
  const connected = await connectors.connect(workspaceId, { name: "Bot", botToken: bot.token });
  connectorId = connected.id;
});
afterEach(async () => {
  for (const { child } of processes) child.kill("SIGKILL");
  await Promise.all(processes.splice(0).map(({ exited }) => exited));
});
afterAll(async () => {
  await sandbox.close();
  await database.drop();
});

async function startPoller(updatesMode: "webhook" | "polling" = "polling"): Promise<RunningScript> {
  const running = await startProcess("poller", {
    databaseUrl: database.url,
    redisUrl: undefined,
    telegramApiRoot: sandbox.url,
    port: 1,
    encryptionKeys,
    updatesMode,
  });
  processes.push(running);
  return running;
}

const say = (text: string) => sandbox.send({ from: userId, chatId: userId, botId: bot.id, text });
const pending = () => sandbox.webhookInfo(bot.id).pending_update_count;

async function texts(): Promise<Array<string | undefined>> {
  const rows = await database.db.query<{ body: Buffer }>(
    `SELECT b.body FROM jobs j
     JOIN job_bodies b ON b.workspace_id = j.workspace_id AND b.job_id = j.id
     WHERE j.payload ->> 'connectorId' = $1 ORDER BY j.id`,
    [connectorId],
  );
  return rows.map(({ body }) => JSON.parse(body.toString("utf8")).message?.text);
}

const owner = async () => {
  const [row] = await database.db.query<{ owner: string | null }>("SELECT owner FROM polled_bots");
  return row?.owner ?? null;
};

test("one killed between its commit and the confirmation: the next one is given the same again", async () => {
  const first = await startPoller();
  await waitFor(owner, { what: "the lease" });
  await say("takes the first request");
  await waitFor(() => pending() === 0, { what: "a confirmation" });
  // The request that waits now brings what is said next; the one that would confirm it hangs.
  sandbox.fault({ botId: bot.id, method: "getUpdates", answer: "hang" });
  await say("one");
  await waitFor(async () => (await texts()).includes("one"), { what: "the commit" });
  expect(pending()).toBe(1);
  first.child.kill("SIGKILL");
  await first.exited;
  await database.db.query("UPDATE polled_bots SET lease_until = now() - interval '1 s'");
  sandbox.clearFaults();
  await say("two");
  const second = await startPoller();
  await waitFor(() => pending() === 0, { timeoutMs: 15_000, what: "the next one" });
  expect(await texts()).toEqual(["takes the first request", "one", "two"]);
  const given = sandbox.record.deliveries.filter(({ botId }) => botId === bot.id);
  expect(given.map(({ attempt }) => attempt)).toEqual([1, 1, 2, 1]);

  second.child.kill("SIGTERM");
  expect(await second.exited).toBe(0);
  expect(await owner()).toBeNull();
  const third = await startPoller();
  await say("three");
  await waitFor(async () => (await texts()).at(-1) === "three", { what: "the third" });
  third.child.kill("SIGTERM");
  expect(await third.exited).toBe(0);
  expect(pending()).toBe(0);
});

test("no process of an installation in polling mode needs a public address", async () => {
  const config = loadConfig({
    DATABASE_URL: database.url,
    ENCRYPTION_KEYS: encryptionKeys,
    LOG_LEVEL: "silent",
  });
  expect(() => openSystem(config, "test", 2)).toThrow(/PUBLIC_URL is not set/);
  const system = openSystem({ ...config, updatesMode: "polling" }, "test", 2);
  await system.close();
});

test("in webhook mode it waits, asks for nothing, and stops when told", async () => {
  const before = sandbox.record.calls.length;
  const running = await startPoller("webhook");
  expect(running.stderr()).toContain("nothing is polled");
  expect(sandbox.record.calls.slice(before)).toEqual([]);
  expect(await owner()).toBeNull();
  running.child.kill("SIGTERM");
  expect(await running.exited).toBe(0);
});
