import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Sandbox, startSandbox } from "../../sandbox/index.ts";
import { type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { Jobs } from "../jobs/index.ts";
import { createMetrics, type Database, silentLogger } from "../platform/index.ts";
import { createBotApiFactory } from "../telegram/index.ts";
import { cancelMessage } from "./cancel.ts";
import { createOutboundHooks } from "./hooks.ts";
import { getMessage } from "./message-view.ts";
import type { NewMessage } from "./new-message.ts";
import { createOutboundHandler } from "./outbound-handler.ts";
import { replaceMessage } from "./replace.ts";
import { submitMessages } from "./submit.ts";

/** A drain that begins messages, and people who change them at that moment: exactly one wins. */
let fixture: JobsFixture;
let sandbox: Sandbox;
let db: Database;
let jobs: Jobs;
let botId: number;
const connectorId = randomUUID();
beforeAll(async () => {
  fixture = await jobsFixture({ name: "postgres", redisUrl: undefined });
  db = fixture.database.db;
  sandbox = await startSandbox({ port: 0, limits: { bot: [], chat: [], group: [] } });
  const bot = sandbox.createBot({ name: "Bot", username: "race_bot" });
  botId = bot.id;
  await db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [fixture.workspaceId]);
  await db.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'bot', 'active', $3, 'race_bot', true, '\\x00', 'k',
       decode(repeat('00', 32), 'hex'))`,
    [fixture.workspaceId, connectorId, botId],
  );
  jobs = fixture.engine({ hooks: { outbound: createOutboundHooks() } });
  const fast = [{ count: 1_000, perMs: 1_000 }];
  const handler = createOutboundHandler({
    db,
    botApiFor: async () => createBotApiFactory({ apiRoot: sandbox.url })(bot.token),
    onUnauthorized: async () => {},
    metrics: createMetrics(),
    log: silentLogger,
    limits: { bot: fast, chat: fast, group: fast },
  });
  await jobs.startPool("outbound", handler, { slots: 2, laneConcurrency: 4 });
});
afterAll(async () => {
  await fixture.close();
  await sandbox.close();
});

async function someone(): Promise<number> {
  const { id } = sandbox.createUser({ firstName: "Ada" });
  await sandbox.send({ from: id, chatId: id, botId, text: "hello" });
  return id;
}

async function submit(chatId: number, messages: Partial<NewMessage>[]): Promise<string[]> {
  const { workspaceId } = fixture;
  const complete = messages.map((more) => ({
    workspaceId,
    connectorId,
    chatId: String(chatId),
    text: "hi",
    ...more,
  }));
  const made = await db.transaction((tx) => submitMessages(tx, jobs, complete));
  return made.map(({ id }) => id);
}

const ref = (id: string) => ({ workspaceId: fixture.workspaceId, id });
const shown = async (id: string) => getMessage(db, ref(id));
const received = (chatId: number) =>
  sandbox
    .messages({ chatId, botId })
    .flatMap(({ from, text }) => (from?.id === botId && text ? [text] : []));
const over = (ids: string[]) =>
  waitFor(
    async () => {
      const states = await Promise.all(ids.map(async (id) => (await shown(id))?.state));
      return states.every((state) => state !== "queued" && state !== "sending") ? states : null;
    },
    { intervalMs: 1 },
  );

/** An attempt of which nobody knows whether it was sent. */
const lostAnswer = (messageId: string) =>
  db.query(
    `INSERT INTO send_attempts (workspace_id, id, message_id, connector_id, chat_id, job_id,
       job_attempt, deadline_at, finished_at, outcome)
     VALUES ($1, gen_random_uuid(), $2, $3, '1', 1, 1, now(), now(), 'unknown')`,
    [fixture.workspaceId, messageId, connectorId],
  );

const MANY = Array.from({ length: 14 }, (_, n) => n);

/**
 * Messages of one chat, each changed at about the moment it begins: when the one before it is over,
 * and some turns to the database later. Answers what `change` answered, null where it was refused.
 */
async function meet(
  texts: string[],
  change: (id: string, n: number) => Promise<string | undefined>,
) {
  const chatId = await someone();
  const ids = await submit(
    chatId,
    texts.map((text) => ({ text })),
  );
  const answers: (string | null)[] = [];
  for (const [n, id] of ids.entries()) {
    await over(ids.slice(0, n).slice(-1));
    for (let turn = 0; turn < n % 7; turn++) await db.query("SELECT 1 AS one");
    answers.push((await change(id, n).catch(() => null)) ?? null);
  }
  return { states: await over(ids), answers, chatId };
}

test("cancelled at the moment it begins: either it is sent, or it never is", async () => {
  const texts = MANY.map((n) => `m ${n}`);
  const { states, answers, chatId } = await meet(texts, async (id) => {
    const done = await db.transaction((tx) => cancelMessage(tx, jobs, ref(id)));
    return done?.state;
  });
  // Those told that it was begun are sent; of the others nothing arrives.
  expect(states).toEqual(answers.map((state) => state ?? "sent"));
  expect(received(chatId)).toEqual(texts.filter((_, n) => answers[n] === null));
  const left = await db.query(
    "SELECT 1 AS one FROM jobs WHERE state IN ('available', 'running', 'retryable')",
  );
  expect(left).toEqual([]);
});

test("replaced at the moment it begins: what was answered is what is sent", async () => {
  const texts = MANY.map((n) => `old ${n}`);
  const { answers, chatId } = await meet(texts, async (id, n) => {
    // By the message's row alone, or under its lane's as well.
    const said = { text: `new ${n}`, entities: [], partLength: 4_096 };
    const change = { said, ...(n % 2 === 0 ? {} : { priority: "high" as const }) };
    await db.transaction((tx) => replaceMessage(tx, jobs, ref(id), change));
    return said.text;
  });
  expect(received(chatId)).toEqual(texts.map((text, n) => answers[n] ?? text));
});

test("a drain that comes too late sends nothing: it failed, or nobody knows", async () => {
  const chatId = await someone();
  const sendAt = new Date(Date.now() + 3_600_000);
  const [stale = "", tried = ""] = await submit(chatId, [{ sendAt }, { sendAt }]);
  await lostAnswer(tried);
  await db.query(
    "UPDATE outbound_messages SET expires_at = now(), attempts = 1 WHERE id = ANY ($1)",
    [[stale, tried]],
  );
  await jobs.ledger.runNow({ queue: "outbound", states: ["scheduled"] });
  expect(await over([stale, tried])).toEqual(["failed", "unknown"]);
  expect(await shown(stale)).toMatchObject({ errorClass: "expired" });
  expect(received(chatId)).toEqual([]);
  const attempts = await db.query(
    "SELECT outcome FROM send_attempts WHERE message_id = ANY ($1) ORDER BY outcome",
    [[stale, tried]],
  );
  expect(attempts).toEqual([
    { outcome: "not-sent" },
    { outcome: "not-sent" },
    { outcome: "unknown" },
  ]);
});

test("ended by hand after an attempt that may have been sent: nobody says that it was not", async () => {
  const chatId = await someone();
  const sendAt = new Date(Date.now() + 3_600_000);
  const ids = await submit(chatId, [{ sendAt }, { sendAt }, { sendAt }]);
  const [byApi = "", byLedger = "", untried = ""] = ids;
  for (const id of [byApi, byLedger]) await lostAnswer(id);
  const said = { text: "other", entities: [], partLength: 4_096 };
  const replaced = db.transaction((tx) => replaceMessage(tx, jobs, ref(byApi), { said }));
  await expect(replaced).rejects.toThrow("may have been sent");
  expect(await db.transaction((tx) => cancelMessage(tx, jobs, ref(byApi)))).toMatchObject({
    state: "unknown",
  });
  await jobs.ledger.cancel({ queue: "outbound", states: ["scheduled"] });
  expect(await over(ids)).toEqual(["unknown", "unknown", "cancelled"]);
  expect(await shown(untried)).toMatchObject({ errorClass: "cancelled" });
});

test("a caption is replaced by what Telegram takes of one, and by nothing longer", async () => {
  const [id = ""] = await submit(await someone(), [
    {
      content: { type: "photo", file: { fileId: "AgAC" } },
      sendAt: new Date(Date.now() + 3_600_000),
    },
  ]);
  const replace = (places: number) => {
    const entities = Array.from({ length: places }, (_, n) => ({
      ...{ type: "bold" as const, offset: 2 * n, length: 1 },
    }));
    const said = { text: "a ".repeat(places).trim(), entities, partLength: 4_096 };
    return db.transaction((tx) => replaceMessage(tx, jobs, ref(id), { said }));
  };
  await expect(replace(101)).rejects.toThrow("at most 100 formatted places");
  expect(await replace(100)).not.toBeNull();
});
