import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { type Sandbox, startSandbox } from "../../sandbox/index.ts";
import { type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { ExternalHandler, Job } from "../jobs/index.ts";
import { createMetrics, silentLogger, type Transaction } from "../platform/index.ts";
import { createBotApiFactory } from "../telegram/index.ts";
import { getMessage } from "./message-view.ts";
import { createOutboundHandler } from "./outbound-handler.ts";
import { submitMessages } from "./submit.ts";

let fixture: JobsFixture;
let sandbox: Sandbox;
beforeAll(async () => {
  fixture = await jobsFixture({ name: "postgres", redisUrl: undefined });
  sandbox = await startSandbox({ port: 0 });
  await fixture.database.db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [
    fixture.workspaceId,
  ]);
});
afterAll(async () => {
  await fixture.close();
  await sandbox.close();
});

const ALL = { onlyEssential: false };

/** A bot's handler, and messages that wait, whose jobs the test takes in its own hands. */
let handler: ExternalHandler<unknown>;
let jobs: Job[];
let connectorId: string;
beforeEach(async () => {
  const { db } = fixture.database;
  const bot = sandbox.createBot({ name: "Bot", username: `b${randomUUID().slice(0, 8)}_bot` });
  const users = ["Ada", "Bob", "Cem"].map((firstName) => sandbox.createUser({ firstName }));
  for (const { id } of users) {
    await sandbox.send({ from: id, chatId: id, botId: bot.id, text: "hello" });
  }
  connectorId = randomUUID();
  const { workspaceId } = fixture;
  await db.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'bot', 'active', $3, $4, true, '\\x00', $5, decode(repeat('00', 32), 'hex'))`,
    [workspaceId, connectorId, bot.id, bot.username, randomUUID()],
  );
  const engine = fixture.engine();
  const messages = users.map(({ id }) => ({
    workspaceId,
    connectorId,
    chatId: String(id),
    text: "kept",
  }));
  const submitted = await db.transaction((tx) => submitMessages(tx, engine, messages));
  const rows = await db.query<{ id: string; key: string }>(
    "SELECT id, ordering_key AS key FROM jobs WHERE lane = $1 ORDER BY id",
    [connectorId],
  );
  jobs = rows.map(({ id, key }, n) => ({
    id,
    queue: "outbound",
    lane: connectorId,
    workspaceId,
    kind: "message",
    orderingKey: key,
    priority: 5,
    payload: { messageId: submitted[n]?.id ?? "" },
    body: null,
    attempts: 0,
    maxAttempts: 10,
    createdAt: new Date(),
    causeId: null,
  }));
  handler = createOutboundHandler({
    db,
    botApiFor: async () => createBotApiFactory({ apiRoot: sandbox.url })(bot.token),
    onUnauthorized: async () => {},
    metrics: createMetrics(),
    log: silentLogger,
  });
});

const inTransaction = <Result>(work: (tx: Transaction) => Promise<Result>) =>
  fixture.database.db.transaction(work);

/** Begins them and makes their calls; their ends, not written yet. */
const sendAll = async (some: Job[]) => {
  const { workspaceId } = fixture;
  const runner = await handler.open({ lane: connectorId, workspaceId, epoch: "0" });
  const owns = await inTransaction(async (tx) => handler.begin?.(tx, some));
  return Promise.all(
    some.map(async (job) => {
      const own = owns?.get(job.id) ?? null;
      const outcome = await runner.run(job, new AbortController().signal, own);
      return { job, own, outcome, state: "completed" as const, applied: true };
    }),
  );
};

const messageOf = (job: Job | undefined) =>
  getMessage(fixture.database.db, {
    workspaceId: fixture.workspaceId,
    id: String(job?.payload.messageId),
  });

test("outcomes whose transaction is repeated are written all the same, each id once", async () => {
  const ends = await sendAll(jobs);
  let tries = 0;
  await inTransaction(async (tx) => {
    await handler.finish?.(tx, ends, ALL);
    if (++tries === 1) throw Object.assign(new Error("deadlock"), { code: "40P01" });
  });
  expect(tries).toBe(2);
  // Whoever does not know whether a commit took place writes it again.
  await inTransaction(async (tx) => handler.finish?.(tx, ends, ALL));
  for (const job of jobs) {
    const message = await messageOf(job);
    expect(message).toMatchObject({ state: "sent", telegramMessageIds: [expect.any(String)] });
  }
  const shown = await fixture.database.db.query(
    "SELECT text FROM messages WHERE connector_id = $1 AND direction = 'out'",
    [connectorId],
  );
  expect(shown).toEqual(jobs.map(() => ({ text: "kept" })));
});

test("a call that never left costs its message nothing, and no wait", async () => {
  const [job] = jobs;
  if (job === undefined) throw new Error("no job");
  await inTransaction(async (tx) => handler.begin?.(tx, [job]));
  expect(await messageOf(job)).toMatchObject({ state: "sending", attempts: 1 });
  const { workspaceId } = fixture;
  const runner = await handler.open({ lane: connectorId, workspaceId, epoch: "0" });
  const begun = { ...job, attempts: 1 };
  const waits = await runner.orphan?.(begun, { neverLeft: false });
  expect(waits?.outcome).toMatchObject({ type: "pause", reason: "may still be sent" });
  const left = await runner.orphan?.(begun, { neverLeft: true });
  if (left === undefined) throw new Error("no verdict");
  expect(left.outcome).toMatchObject({ type: "pause", reason: "cut-off" });
  const { outcome, own = null } = left;
  const end = { job: begun, own, outcome, state: "retryable" as const, applied: true };
  await inTransaction(async (tx) => handler.finish?.(tx, [end], ALL));
  expect(await messageOf(job)).toMatchObject({ state: "queued", attempts: 0 });
  const attempts = await fixture.database.db.query(
    "SELECT outcome FROM send_attempts WHERE connector_id = $1",
    [connectorId],
  );
  expect(attempts).toEqual([{ outcome: "not-sent" }]);
});

test("a chat that was given up can be reached again once a message arrives", async () => {
  const { db } = fixture.database;
  const [ada = "", bob = "", cem = ""] = jobs.map(({ orderingKey }) => orderingKey ?? "");
  await db.query(
    `INSERT INTO chats (workspace_id, connector_id, chat_id, reachable, reachable_at)
     VALUES ($1, $2, $3, false, NULL), ($1, $2, $4, false, now() + interval '1 min'),
       ($1, $2, $5, true, NULL)`,
    [fixture.workspaceId, connectorId, ada, bob, cem],
  );
  const ends = await sendAll(jobs);
  // That one cannot be reached was learned while its message was under way.
  await db.query("UPDATE chats SET reachable = false WHERE connector_id = $1 AND chat_id = $2", [
    connectorId,
    cem,
  ]);
  await inTransaction(async (tx) => handler.finish?.(tx, ends, ALL));
  const rows = await db.query<{ chat_id: string; reachable: boolean }>(
    "SELECT chat_id, reachable FROM chats WHERE connector_id = $1",
    [connectorId],
  );
  const reachable = new Map(rows.map((row) => [row.chat_id, row.reachable]));
  // Telegram has told since that the bot was put out of the second.
  expect([ada, bob, cem].map((chatId) => reachable.get(chatId))).toEqual([true, false, false]);
});

test("a chat that can be reached again is held before its conversation, as by what arrives in it", async () => {
  const { db } = fixture.database;
  const [chatId = ""] = jobs.map(({ orderingKey }) => orderingKey ?? "");
  await db.query(
    "INSERT INTO chats (workspace_id, connector_id, chat_id, reachable) VALUES ($1, $2, $3, false)",
    [fixture.workspaceId, connectorId, chatId],
  );
  const ends = await sendAll(jobs.slice(0, 1));
  const arriving = await db.connect();
  try {
    await arriving.query("BEGIN");
    await arriving.query("SELECT FROM chats WHERE connector_id = $1 FOR NO KEY UPDATE", [
      connectorId,
    ]);
    const written = inTransaction(async (tx) => handler.finish?.(tx, ends, ALL));
    await waitFor(async () => {
      const [row] = await fixture.database.owner.query(
        "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%conversations.reachable%'",
      );
      return row !== undefined;
    });
    await arriving.query("LOCK TABLE conversations IN SHARE MODE NOWAIT");
    await arriving.query("COMMIT");
    await written;
  } finally {
    await arriving.end();
  }
  expect(await messageOf(ends[0]?.job)).toMatchObject({ state: "sent" });
});

test("what is sent is on record though its conversation is locked for good", async () => {
  const [end] = await sendAll(jobs.slice(0, 1));
  if (end === undefined) throw new Error("nothing was sent");
  const other = await fixture.database.db.connect();
  try {
    await other.query("BEGIN");
    await other.query("LOCK TABLE conversations IN ACCESS EXCLUSIVE MODE");
    const written = (onlyEssential: boolean) =>
      fixture.database.db.transaction(
        async (tx) => handler.finish?.(tx, [end], { onlyEssential }),
        { lockTimeoutMs: 50 },
      );
    await expect(written(false)).rejects.toMatchObject({ code: "55P03" });
    expect(await messageOf(end.job)).toMatchObject({ state: "sending" });
    await written(true);
    expect(await messageOf(end.job)).toMatchObject({ state: "sent" });
  } finally {
    await other.end();
  }
});
