import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { type Sandbox, startSandbox } from "../../sandbox/index.ts";
import { type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { NO_DOWNLOADS } from "../../test/support/no-downloads.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { Job } from "../jobs/index.ts";
import { createMetrics, silentLogger, type Transaction } from "../platform/index.ts";
import { type BotApi, createBotApiFactory } from "../telegram/index.ts";
import { createOutboundHooks } from "./hooks.ts";
import { getMessage } from "./message-view.ts";
import type { NewMessage } from "./new-message.ts";
import { createOutboundHandler } from "./outbound-handler.ts";
import { resolveMessage } from "./resolve.ts";
import { submitMessages } from "./submit.ts";

const FAST = { bot: [], chat: [], group: [] };

/** Three parts of ten, the second of them in bold. */
const TEXT = "one one 1. <b>two two 2.</b> three 3.";
const PARTS = ["one one 1.", "two two 2.", "three 3."];

let fixture: JobsFixture;
let sandbox: Sandbox;
let bot: { id: number; token: string };
let userId: number;
let connectorId: string;
/** Told of each text before it is sent. */
let timeouts: number[];
let beforeCall: (text: string) => void | Promise<void>;

beforeAll(async () => {
  fixture = await jobsFixture({ name: "postgres", redisUrl: undefined });
  sandbox = await startSandbox({ port: 0, limits: { bot: [], chat: [], group: [] } });
  await fixture.database.db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [
    fixture.workspaceId,
  ]);
});
afterAll(async () => {
  await fixture.close();
  await sandbox.close();
});
beforeEach(async () => {
  beforeCall = () => {};
  timeouts = [];
  const username = `b${randomUUID().slice(0, 8)}_bot`;
  bot = sandbox.createBot({ name: "Bot", username });
  userId = sandbox.createUser({ firstName: "Ada" }).id;
  await sandbox.send({ from: userId, chatId: userId, botId: bot.id, text: "hello" });
  connectorId = randomUUID();
  await fixture.database.db.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'bot', 'active', $3, $4, true, '\\x00', $5, decode(repeat('00', 32), 'hex'))`,
    [fixture.workspaceId, connectorId, bot.id, username, randomUUID()],
  );
});

function handlerOf(token: string) {
  const api = createBotApiFactory({ apiRoot: sandbox.url })(token);
  const watched: BotApi = {
    ...NO_DOWNLOADS,
    call: async (method, params, options) => {
      await beforeCall(String(params?.text));
      timeouts.push(options?.timeoutMs ?? 0);
      return api.call(method, params, options);
    },
  };
  return createOutboundHandler({
    db: fixture.database.db,
    botApiFor: async () => watched,
    onUnauthorized: async () => {},
    metrics: createMetrics(),
    log: silentLogger,
    limits: FAST,
    callTimeoutMs: 2_000,
  });
}

async function worker() {
  const engine = fixture.engine({ hooks: { outbound: createOutboundHooks() } });
  await engine.startPool("outbound", handlerOf(bot.token), { slots: 2, laneConcurrency: 4 });
  return engine;
}

async function submit(...messages: Partial<NewMessage>[]): Promise<string[]> {
  const { workspaceId, database } = fixture;
  const common = { workspaceId, connectorId, chatId: String(userId), text: TEXT };
  const complete = messages.map((message): NewMessage => {
    return { ...common, format: "html", partLength: 10, ...message };
  });
  const engine = fixture.engine();
  const submitted = await database.db.transaction((tx) => submitMessages(tx, engine, complete));
  return submitted.map(({ id }) => id);
}

const read = async (id = "") =>
  getMessage(fixture.database.db, { workspaceId: fixture.workspaceId, id });
const ended = (id: string | undefined, state: string) =>
  waitFor(
    async () => {
      const found = await read(id);
      return found?.state === state ? found : null;
    },
    { what: `the message to be ${state}` },
  );
const received = () =>
  sandbox
    .messages({ chatId: userId, botId: bot.id })
    .filter((message) => message.from?.id === bot.id);
const jobOf = async (messageId = "", kind = "message") => {
  const [job] = await fixture.database.db.query<{ id: string }>(
    `SELECT j.id FROM jobs j JOIN outbound_messages m ON m.id::text = j.payload ->> 'messageId'
     WHERE j.kind = $2 AND $1 IN (m.id, m.target_id) ORDER BY j.id DESC LIMIT 1`,
    [messageId, kind],
  );
  return { id: job?.id ?? "" };
};
const texts = () => received().map(({ text }) => text);
const strikeAt = (part: string, answer: "5xx-after-effect" | "reset-before-effect") => {
  beforeCall = (text) => {
    if (text !== part) return;
    beforeCall = () => {};
    sandbox.fault({ botId: bot.id, method: "sendMessage", answer });
  };
};

test("parts go out in order as one message, what answers it with the first, its buttons with the last", async () => {
  const engine = await worker();
  const [asked] = sandbox.messages({ chatId: userId, botId: bot.id });
  const replyTo = String(asked?.message_id);
  const [id, next] = await submit(
    { replyTo, buttons: [[{ text: "Yes", data: "y" }]] },
    { text: "next" },
  );
  await ended(next, "sent");
  const sent = received();
  expect(texts()).toEqual([...PARTS, "next"]);
  expect(sent.map(({ entities }) => entities?.map(({ type }) => type) ?? [])).toEqual([
    [],
    ["bold"],
    [],
    [],
  ]);
  expect(sent.map((message) => message.reply_to_message !== undefined)).toEqual([
    true,
    false,
    false,
    false,
  ]);
  expect(sent.map((message) => message.reply_markup !== undefined)).toEqual([
    false,
    false,
    true,
    false,
  ]);
  expect(await read(id)).toMatchObject({
    state: "sent",
    attempts: 1,
    telegramMessageIds: sent.slice(0, 3).map((message) => String(message.message_id)),
    parts: { sent: 3, total: 3 },
  });
  const { db } = fixture.database;
  const attempts = "SELECT outcome FROM send_attempts WHERE message_id = $1";
  expect(await db.query(attempts, [id])).toEqual(PARTS.map(() => ({ outcome: "sent" })));
  const shown = await db.query(
    "SELECT text FROM messages WHERE connector_id = $1 AND direction = 'out' ORDER BY id",
    [connectorId],
  );
  expect(shown).toEqual([...PARTS, "next"].map((text) => ({ text })));
  await engine.stop(2_000);
});

test("a worker that stops between parts: another one goes on with the next", async () => {
  const first = await worker();
  let stopped: Promise<void> | undefined;
  beforeCall = (text) => {
    if (text === PARTS[0]) stopped = first.stop(2_000);
  };
  const [id] = await submit({});
  await waitFor(async () => (await read(id))?.parts?.sent === 1, { what: "the first part" });
  await stopped;
  expect(await read(id)).toMatchObject({ state: "queued", attempts: 0 });
  expect(texts()).toEqual(PARTS.slice(0, 1));
  const second = await worker();
  expect(await ended(id, "sent")).toMatchObject({ attempts: 1 });
  expect(texts()).toEqual(PARTS);
  await second.stop(2_000);
});

test("unknown in the middle and resend: that part again, and the rest once", async () => {
  const engine = await worker();
  strikeAt("two two 2.", "5xx-after-effect");
  const [id] = await submit({ onUnknown: "resend" });
  await ended(id, "sent");
  expect(texts()).toEqual(["one one 1.", "two two 2.", "two two 2.", "three 3."]);
  await engine.stop(2_000);
});

test("unknown in the middle and hold: no part more, until somebody says so", async () => {
  const engine = await worker();
  strikeAt("two two 2.", "reset-before-effect");
  const [id, next] = await submit({ onUnknown: "hold" }, { text: "next" });
  expect(await ended(id, "unknown")).toMatchObject({
    parts: { sent: 1, total: 3 },
    error: expect.stringMatching(/^Part 2 of 3: /),
  });
  await ended(next, "sent");
  expect(texts()).toEqual(["one one 1.", "next"]);
  await engine.ledger.retry(await jobOf(id));
  await ended(id, "sent");
  expect(texts()).toEqual(["one one 1.", "next", "two two 2.", "three 3."]);
  await engine.stop(2_000);
});

test("a part that somebody found in the chat is not sent again, and the rest is", async () => {
  const engine = await worker();
  strikeAt("two two 2.", "5xx-after-effect");
  const [id = ""] = await submit({ onUnknown: "hold" });
  await ended(id, "unknown");
  const ref = { workspaceId: fixture.workspaceId, id };
  const resolve = () =>
    fixture.database.db.transaction((tx) => resolveMessage(tx, engine, ref, "sent"));
  expect(await resolve()).toMatchObject({ state: "queued" });
  await ended(id, "sent");
  expect(texts()).toEqual(PARTS);
  await engine.stop(2_000);
});

test("what somebody has found of a notice is deleted in its time, as far as its numbers are known", async () => {
  const engine = await worker();
  const { db } = fixture.database;
  strikeAt("three 3.", "5xx-after-effect");
  const [id = ""] = await submit({ deleteAfterS: 3_600, onUnknown: "hold" });
  await ended(id, "unknown");
  // As where its chat was locked when it ended.
  await db.query("DELETE FROM outbound_messages WHERE target_id = $1 AND kind = 'deletion'", [id]);
  const ref = { workspaceId: fixture.workspaceId, id };
  expect(await read(id)).not.toHaveProperty("deletion");
  await db.transaction((tx) => resolveMessage(tx, engine, ref, "sent"));
  expect(await read(id)).toMatchObject({
    state: "sent",
    deletion: { state: "waiting", error: expect.stringContaining("nobody can delete") },
  });
  await engine.ledger.runNow(await jobOf(id, "deletion"));
  await waitFor(async () => (await read(id))?.deletion?.state === "deleted");
  expect(texts()).toEqual(PARTS.slice(2));
  await engine.stop(2_000);
});

test("a notice vanishes as far as it was sent, and what is sent of it later, too", async () => {
  const engine = await worker();
  const vanish = async (id: string | undefined) => {
    await engine.ledger.runNow(await jobOf(id, "deletion"));
    await waitFor(async () => (await read(id))?.deletion?.state === "deleted");
  };
  const notice: Partial<NewMessage> = { deleteAfterS: 3_600, onUnknown: "hold" };
  strikeAt("two two 2.", "reset-before-effect");
  const [id] = await submit(notice);
  await ended(id, "unknown");
  expect(texts()).toEqual(PARTS.slice(0, 1));
  // What vanishes while the rest is on its way is no reason to keep the rest.
  beforeCall = (text) => {
    if (text !== "two two 2.") return;
    beforeCall = () => {};
    return vanish(id).then(() => expect(texts()).toEqual([]));
  };
  await engine.ledger.retry(await jobOf(id));
  await ended(id, "sent");
  expect(texts()).toEqual(PARTS.slice(1));
  await vanish(id);
  expect(texts()).toEqual([]);
  expect((await read(id))?.deletion?.error).toContain("another copy");
  const [row] = await fixture.database.db.query(
    "SELECT text FROM outbound_messages WHERE id = $1",
    [id],
  );
  expect(row).toEqual({ text: "" });
  await engine.stop(2_000);
});

test("formatting that Telegram refuses in one part: that part plain, and the message says so", async () => {
  const engine = await worker();
  beforeCall = (text) => {
    if (text !== "two two 2.") return;
    beforeCall = () => {};
    const description = "Bad Request: can't parse entities";
    const answer = { status: 400, error_code: 400, description };
    sandbox.fault({ botId: bot.id, method: "sendMessage", answer });
  };
  const [id] = await submit({});
  expect(await ended(id, "sent")).toMatchObject({ error: expect.stringContaining("plain text") });
  expect(texts()).toEqual(PARTS);
  expect(received()[1]?.entities ?? []).toEqual([]);
  // Both calls of an attempt end by its deadline: whoever takes over waits no longer.
  const [, refused = 0, plain = 0] = timeouts;
  expect(plain).toBeLessThan(refused);
  await engine.stop(2_000);
});

test("a part that two holders sent counts once, whoever is later to tell", async () => {
  const { db } = fixture.database;
  const { workspaceId } = fixture;
  const [id] = await submit({});
  const [row] = await db.query<{ id: string }>("SELECT id FROM jobs WHERE lane = $1", [
    connectorId,
  ]);
  const common = { queue: "outbound", kind: "message", orderingKey: String(userId) } as const;
  const job: Job = {
    ...common,
    id: row?.id ?? "",
    lane: connectorId,
    workspaceId,
    priority: 5,
    payload: { messageId: id ?? "" },
    body: null,
    attempts: 0,
    maxAttempts: 10,
    createdAt: new Date(),
    causeId: null,
  };
  const handler = handlerOf(bot.token);
  const inTransaction = <Result>(work: (tx: Transaction) => Promise<Result>) =>
    db.transaction(work);
  const send = async (applied: boolean) => {
    const runner = await handler.open({ lane: connectorId, workspaceId, epoch: "0" });
    const own =
      (await inTransaction(async (tx) => handler.begin?.(tx, [job])))?.get(job.id) ?? null;
    const outcome = await runner.run(job, new AbortController().signal, own);
    const state = outcome.type === "complete" ? ("completed" as const) : ("retryable" as const);
    return { job, own, outcome, state, applied };
  };
  const finish = (end: Awaited<ReturnType<typeof send>>) =>
    inTransaction(async (tx) => handler.finish?.(tx, [end], { onlyEssential: false }));

  const late = await send(false);
  await finish(await send(true));
  await finish(late);
  expect(await read(id)).toMatchObject({ state: "queued", parts: { sent: 1, total: 3 } });
  // Whoever does not know whether a commit took place writes it again.
  const second = await send(true);
  await finish(second);
  await finish(second);
  expect(await read(id)).toMatchObject({ state: "queued", parts: { sent: 2, total: 3 } });
  await finish(await send(true));
  expect(await read(id)).toMatchObject({ state: "sent", parts: { sent: 3, total: 3 } });
  expect(texts()).toEqual(["one one 1.", ...PARTS]);
});

test("a group that moves between parts: the numbers of its old id name nothing in the new one", async () => {
  const engine = await worker();
  const memberIds = [userId, bot.id];
  const group = sandbox.createChat({ type: "group", title: "G", memberIds });
  for (const text of ["a", "b", "c"]) await sandbox.send({ from: userId, chatId: group.id, text });
  let supergroup = 0;
  beforeCall = (text) => {
    if (text !== PARTS[1] || supergroup !== 0) return;
    supergroup = sandbox.migrate(group.id);
  };
  const [id] = await submit({ chatId: String(group.id) });
  const { telegramMessageIds, parts } = (await ended(id, "sent")) ?? {};
  expect(parts).toEqual({ sent: 3, total: 3 });
  const there = sandbox
    .messages({ chatId: supergroup })
    .filter(({ text = "" }) => PARTS.includes(text));
  expect(there).toHaveLength(2);
  expect(telegramMessageIds).toEqual(there.map((message) => String(message.message_id)));
  await engine.stop(2_000);
});
