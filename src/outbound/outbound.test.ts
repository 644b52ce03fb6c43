import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Sandbox, startSandbox } from "../../sandbox/index.ts";
import { type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { backends } from "../../test/support/requirements.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { Jobs } from "../jobs/index.ts";
import { createMetrics, silentLogger } from "../platform/index.ts";
import { createBotApiFactory } from "../telegram/index.ts";
import { createOutboundHooks } from "./hooks.ts";
import { getMessage } from "./message-view.ts";
import type { NewMessage } from "./new-message.ts";
import { createOutboundHandler } from "./outbound-handler.ts";
import type { PaceLimits } from "./pace.ts";
import { submitMessages } from "./submit.ts";

/** Fast enough for a test; the documented pace has tests of its own. */
const FAST: PaceLimits = {
  bot: [{ count: 100, perMs: 1_000 }],
  chat: [{ count: 50, perMs: 1_000 }],
  group: [{ count: 50, perMs: 1_000 }],
};
const SANDBOX_LIMITS = { bot: [], chat: [], group: [] };

describe.each(backends)("sending, on $name", (backend) => {
  let fixture: JobsFixture;
  let sandbox: Sandbox;
  beforeAll(async () => {
    fixture = await jobsFixture(backend);
    sandbox = await startSandbox({ port: 0, limits: SANDBOX_LIMITS });
    await fixture.database.db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [
      fixture.workspaceId,
    ]);
  });
  afterAll(async () => {
    await fixture.close();
    await sandbox.close();
  });

  /** A bot, a person who has written to it, and a worker that sends for it. */
  async function world(options: { limits?: PaceLimits; callTimeoutMs?: number } = {}) {
    const { db } = fixture.database;
    const bot = sandbox.createBot({ name: "Bot", username: `b${randomUUID().slice(0, 8)}_bot` });
    const user = sandbox.createUser({ firstName: "Ada" });
    await sandbox.send({ from: user.id, chatId: user.id, botId: bot.id, text: "hello" });
    const connectorId = randomUUID();
    await db.query(
      `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
         can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
       VALUES ($1, $2, 'bot', 'active', $3, $4, true, '\\x00', $5, decode(repeat('00', 32), 'hex'))`,
      [fixture.workspaceId, connectorId, bot.id, bot.username, randomUUID()],
    );
    const engine = fixture.engine({ hooks: { outbound: createOutboundHooks() } });
    const telegram = { root: sandbox.url };
    const unauthorized: string[] = [];
    const handler = createOutboundHandler({
      db,
      botApiFor: async () => createBotApiFactory({ apiRoot: telegram.root })(bot.token),
      onUnauthorized: async (id) => void unauthorized.push(id),
      metrics: createMetrics(),
      log: silentLogger,
      limits: options.limits ?? FAST,
      callTimeoutMs: options.callTimeoutMs ?? 2_000,
    });
    await engine.startPool("outbound", handler, { slots: 5, laneConcurrency: 10 });
    const submit = async (...messages: Partial<NewMessage>[]): Promise<string[]> => {
      const complete = messages.map((message) => ({
        workspaceId: fixture.workspaceId,
        connectorId,
        chatId: String(user.id),
        text: "hi",
        ...message,
      }));
      const submitted = await db.transaction((tx) => submitMessages(tx, engine, complete));
      return submitted.map((message) => message.id);
    };
    const ended = (id: string | undefined, state: string) =>
      waitFor(
        async () => {
          const found = await getMessage(db, { workspaceId: fixture.workspaceId, id: id ?? "" });
          return found?.state === state ? found : null;
        },
        { what: `the message to be ${state}` },
      );
    const attemptsOf = async (id: string | undefined) =>
      (
        await db.query<{ outcome: string | null }>(
          "SELECT outcome FROM send_attempts WHERE message_id = $1 ORDER BY started_at",
          [id],
        )
      ).map((row) => row.outcome);
    const received = (chatId = user.id) =>
      sandbox
        .messages({ chatId, ...(chatId > 0 ? { botId: bot.id } : {}) })
        .filter((message) => message.from?.id === bot.id)
        .map((message) => message.text);
    return {
      db,
      bot,
      user,
      connectorId,
      engine: engine as Jobs,
      telegram,
      unauthorized,
      submit,
      ended,
      attemptsOf,
      received,
      stop: () => engine.stop(2_000),
    };
  }

  test("a message arrives, its ids are known, and its conversation shows it", async () => {
    const { db, submit, ended, received, stop, connectorId } = await world();
    const [id] = await submit({ text: "first", buttons: [[{ text: "Yes", data: "y" }]] });
    const sent = await ended(id, "sent");
    expect(sent.telegramMessageIds).toHaveLength(1);
    expect(received()).toEqual(["first"]);
    const rows = await db.query(
      "SELECT direction, text FROM messages WHERE connector_id = $1 AND direction = 'out'",
      [connectorId],
    );
    expect(rows).toEqual([{ direction: "out", text: "first" }]);
    await stop();
  });

  test("an outage of hours wears no message out: pauses are not its tries", async () => {
    const { db, submit, ended, attemptsOf, stop, telegram } = await world();
    const root = telegram.root;
    telegram.root = "http://127.0.0.1:9";
    const [id] = await submit({ text: "patient" });
    await waitFor(async () => (await attemptsOf(id))[0] === "not-sent");
    // More begins than a small number counts, one a second.
    await db.query("UPDATE outbound_messages SET attempts = attempts + 40000 WHERE id = $1", [id]);
    await waitFor(async () => (await attemptsOf(id)).filter(Boolean).length >= 2);
    telegram.root = root;
    expect((await ended(id, "sent")).attempts).toBe(40_001);
    await stop();
  });

  test("order holds in each chat", async () => {
    const { submit, ended, received, stop, bot } = await world();
    const other = sandbox.createUser({ firstName: "Ben" });
    await sandbox.send({ from: other.id, chatId: other.id, botId: bot.id, text: "hello" });
    const texts = Array.from({ length: 12 }, (_, n) => `m${n}`);
    const mine = await submit(...texts.map((text) => ({ text })));
    const theirs = await submit(...texts.map((text) => ({ text, chatId: String(other.id) })));
    await ended(mine.at(-1), "sent");
    await ended(theirs.at(-1), "sent");
    expect(received()).toEqual(texts);
    expect(received(other.id)).toEqual(texts);
    await stop();
  });

  test("429: waits as long as told, spends no attempt, and the hold is on record", async () => {
    const { db, submit, ended, attemptsOf, received, stop, bot, connectorId } = await world();
    sandbox.fault({
      botId: bot.id,
      method: "sendMessage",
      answer: { status: 429, parameters: { retry_after: 1 } },
    });
    const startedMs = performance.now();
    const [id, second] = await submit({ text: "one" }, { text: "two" });
    await ended(id, "sent");
    await ended(second, "sent");
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(1_000);
    expect(await attemptsOf(id)).toEqual(["rate-limited", "sent"]);
    expect(received()).toEqual(["one", "two"]);
    const jobs = await db.query("SELECT attempts FROM jobs WHERE lane = $1 ORDER BY id", [
      connectorId,
    ]);
    expect(jobs).toEqual([{ attempts: 1 }, { attempts: 1 }]);
    expect(
      await db.query("SELECT 1 FROM send_holds WHERE connector_id = $1", [connectorId]),
    ).toHaveLength(1);
    await stop();
  });

  test("blocked: failed in words for people, the chat is marked, others go on", async () => {
    const { db, submit, ended, stop, bot, user, connectorId } = await world();
    sandbox.block(user.id, bot.id);
    const [id] = await submit({});
    const failed = await ended(id, "failed");
    expect(failed.error).toContain("blocked the bot");
    const [chat] = await db.query(
      "SELECT reachable FROM chats WHERE connector_id = $1 AND chat_id = $2",
      [connectorId, user.id],
    );
    expect(chat).toEqual({ reachable: false });
    await stop();
  });

  test("a group that moved: the message follows it to its new id", async () => {
    const { submit, ended, received, stop, bot, user } = await world();
    const group = sandbox.createChat({ type: "group", title: "G", memberIds: [user.id, bot.id] });
    const newId = sandbox.migrate(group.id);
    const ids = await submit(
      { chatId: String(group.id), text: "a" },
      { chatId: String(group.id), text: "b" },
    );
    for (const id of ids) await ended(id, "sent");
    // Also what is sent to its old id long after.
    const [late] = await submit({ chatId: String(group.id), text: "c" });
    expect((await ended(late, "sent")).chatId).toBe(String(newId));
    expect(received(newId)).toEqual(["a", "b", "c"]);
    await stop();
  });

  test("a group that moved: what waited under its old id goes before what came under the new", async () => {
    const bot: PaceLimits["bot"] = [{ count: 1, perMs: 400 }];
    const { db, submit, ended, attemptsOf, received, stop, ...my } = await world({
      limits: { bot, chat: [], group: [] },
    });
    const memberIds = [my.user.id, my.bot.id];
    const group = sandbox.createChat({ type: "group", title: "G", memberIds });
    const newId = sandbox.migrate(group.id);
    const old = await submit(
      { chatId: String(group.id), text: "a", priority: "low" },
      { chatId: String(group.id), text: "b", priority: "low" },
    );
    await waitFor(async () => (await attemptsOf(old[0]))[0] === "failed");
    const [reply] = await submit({ chatId: String(newId), text: "c", priority: "high" });
    await ended(reply, "sent");
    expect(received(newId)).toEqual(["a", "b", "c"]);
    const keys = await db.query(
      "SELECT DISTINCT ordering_key, filed FROM jobs WHERE lane = $1 AND state = 'completed'",
      [my.connectorId],
    );
    expect(keys).toEqual([{ ordering_key: String(newId), filed: false }]);
    await stop();
  });

  test("a refused token: the workspace's connector is told, the message waits", async () => {
    const { db, submit, stop, unauthorized, bot, connectorId } = await world();
    sandbox.revokeToken(bot.id);
    const [id] = await submit({});
    await waitFor(() => unauthorized.length > 0, { what: "the connector to be disabled" });
    expect(unauthorized).toContain(connectorId);
    const message = await getMessage(db, { workspaceId: fixture.workspaceId, id: id ?? "" });
    expect(message?.state).toBe("queued");
    await stop();
  });

  test("formatting that Telegram cannot read goes out as plain text, and says so", async () => {
    const { submit, ended, received, stop, bot } = await world();
    const description = "Bad Request: can't parse entities";
    const answer = { status: 400, error_code: 400, description };
    sandbox.fault({ botId: bot.id, method: "sendMessage", answer });
    const [id] = await submit({ text: "<b>doubtful</b>", format: "html" });
    const sent = await ended(id, "sent");
    expect(sent.error).toContain("plain text");
    expect(received()).toEqual(["doubtful"]);
    await stop();
  });

  test("unknown and hold: never sent again by itself, and its chat goes on", async () => {
    const { submit, ended, received, attemptsOf, stop, bot } = await world();
    sandbox.fault({ botId: bot.id, method: "sendMessage", answer: "5xx-after-effect" });
    const [first, second] = await submit({ text: "maybe", onUnknown: "hold" }, { text: "next" });
    await ended(first, "unknown");
    await ended(second, "sent");
    expect(await attemptsOf(first)).toEqual(["unknown"]);
    expect(received()).toEqual(["maybe", "next"]);
    await stop();
  });

  test.each(["hang", "reset-after-effect"] as const)("%s: unknown as well", async (answer) => {
    const { submit, ended, attemptsOf, stop, bot } = await world({ callTimeoutMs: 300 });
    sandbox.fault({ botId: bot.id, method: "sendMessage", answer });
    const [id] = await submit({ onUnknown: "hold" });
    await ended(id, "unknown");
    expect(await attemptsOf(id)).toEqual(["unknown"]);
    await stop();
  });

  test("unknown and resend: sent again, doubled rather than lost", async () => {
    const { submit, ended, received, attemptsOf, stop, bot } = await world();
    sandbox.fault({ botId: bot.id, method: "sendMessage", answer: "5xx-after-effect" });
    const [id] = await submit({ text: "alert", priority: "critical" });
    await ended(id, "sent");
    expect(await attemptsOf(id)).toEqual(["unknown", "sent"]);
    expect(received()).toEqual(["alert", "alert"]);
    await stop();
  });

  test("Telegram out of reach: not sent, tried again, sent once", async () => {
    const { db, connectorId, submit, attemptsOf, ended, received, stop, telegram } = await world();
    telegram.root = "http://127.0.0.1:1";
    const [id] = await submit({ text: "late" });
    await waitFor(async () => (await attemptsOf(id)).includes("not-sent"), { what: "a refusal" });
    telegram.root = sandbox.url;
    await ended(id, "sent");
    expect(received()).toEqual(["late"]);
    // The outage was nobody's attempt, however long it lasted.
    const jobs = await db.query("SELECT attempts FROM jobs WHERE lane = $1", [connectorId]);
    expect(jobs).toEqual([{ attempts: 1 }]);
    await stop();
  });

  test("a message that was sent after all is not sent again", async () => {
    const { db, submit, received, stop, connectorId } = await world();
    const sendAt = new Date(Date.now() + 400);
    const [id] = await submit({ text: "once", sendAt });
    // A holder that was believed dead reports its success just now.
    await db.query("UPDATE outbound_messages SET state = 'sent' WHERE id = $1", [id]);
    await waitFor(
      async () =>
        (
          await db.query("SELECT 1 FROM jobs WHERE lane = $1 AND state = 'completed'", [
            connectorId,
          ])
        ).length === 1,
      { what: "the job to end" },
    );
    expect(received()).toEqual([]);
    await stop();
  });

  test("a worker that died with a call under way: unknown after the call's deadline, not before", async () => {
    const { db, ended, attemptsOf, stop, engine, connectorId } = await world();
    await engine.stop(1_000);
    const submitting = fixture.engine();
    const [submitted] = await db.transaction((tx) =>
      submitMessages(tx, submitting, [
        {
          workspaceId: fixture.workspaceId,
          connectorId,
          chatId: "1",
          text: "in flight",
          onUnknown: "hold",
        },
      ]),
    );
    const id = submitted?.id;
    // What a SIGKILL between the request and its answer leaves behind.
    await db.query(
      `WITH j AS (UPDATE jobs SET state = 'running', attempts = 1 WHERE lane = $1 RETURNING id)
       INSERT INTO send_attempts (workspace_id, id, message_id, connector_id, chat_id, job_id,
         job_attempt, deadline_at)
       SELECT $2, gen_random_uuid(), $3, $1::uuid, '1', j.id, 1, now() + interval '1500 ms' FROM j`,
      [connectorId, fixture.workspaceId, id],
    );
    await db.query("UPDATE outbound_messages SET state = 'sending' WHERE id = $1", [id]);
    const successor = fixture.engine();
    const handler = createOutboundHandler({
      db,
      botApiFor: async () => createBotApiFactory({ apiRoot: sandbox.url })("1:none"),
      onUnauthorized: async () => {},
      metrics: createMetrics(),
      log: silentLogger,
      limits: FAST,
    });
    await successor.startPool("outbound", handler, { slots: 1 });
    await ended(id, "unknown");
    const [early] = await db.query<{ early: boolean }>(
      "SELECT finished_at < deadline_at AS early FROM send_attempts WHERE message_id = $1",
      [id],
    );
    expect(early?.early).toBe(false);
    expect(await attemptsOf(id)).toEqual(["unknown"]);
    await successor.stop(1_000);
    await stop();
  });

  test.each(["discard", "cancel"] as const)(
    "%s by hand: cancelled, and not sent",
    async (action) => {
      const { db, submit, ended, engine, received, stop } = await world();
      const sendAt = new Date(Date.now() + 3_600_000);
      const [id] = await submit({ text: "never", sendAt });
      const [job] = await db.query<{ id: string }>(
        "SELECT id FROM jobs WHERE payload->>'messageId' = $1",
        [id],
      );
      expect(await engine.ledger[action]({ id: job?.id ?? "" })).toBe(1);
      await ended(id, "cancelled");
      expect(received()).toEqual([]);
      await stop();
    },
  );

  test("run now by hand: sent before its time", async () => {
    const { submit, ended, engine, received, stop } = await world();
    const [id] = await submit({ text: "early", sendAt: new Date(Date.now() + 3_600_000) });
    expect(await engine.ledger.runNow({ queue: "outbound", states: ["scheduled"] })).toBe(1);
    await ended(id, "sent");
    expect(received()).toHaveLength(1);
    await stop();
  });
});

describe("the documented pace against the sandbox's limits", () => {
  test("a burst to one chat meets no 429", async () => {
    const fixture = await jobsFixture({ name: "postgres", redisUrl: undefined });
    const sandbox = await startSandbox({ port: 0 });
    const bot = sandbox.createBot({ name: "Bot", username: "paced_bot" });
    const user = sandbox.createUser({ firstName: "Ada" });
    await sandbox.send({ from: user.id, chatId: user.id, botId: bot.id, text: "hello" });
    const { db } = fixture.database;
    const { workspaceId } = fixture;
    const connectorId = randomUUID();
    await db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [workspaceId]);
    await db.query(
      `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
         can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
       VALUES ($1, $2, 'bot', 'active', $3, 'paced_bot', true, '\\x00', 'k', decode(repeat('00', 32), 'hex'))`,
      [workspaceId, connectorId, bot.id],
    );
    const handler = createOutboundHandler({
      db,
      botApiFor: async () => createBotApiFactory({ apiRoot: sandbox.url })(bot.token),
      onUnauthorized: async () => {},
      metrics: createMetrics(),
      log: silentLogger,
    });
    const first = fixture.engine();
    await first.startPool("outbound", handler, { slots: 2 });
    const messages = Array.from({ length: 8 }, (_, n) => ({
      workspaceId,
      connectorId,
      chatId: String(user.id),
      text: `m${n}`,
    }));
    await db.transaction((tx) => submitMessages(tx, first, messages));
    const sent = () =>
      sandbox.record.callsOf("sendMessage", bot.id).filter((call) => call.tookEffect).length;
    await waitFor(() => sent() >= 3, { what: "the burst" });
    // Another process goes on: it keeps the pace that the first one began.
    await first.stop(1_000);
    const second = fixture.engine();
    await second.startPool("outbound", handler, { slots: 2 });
    await waitFor(() => sent() === 8, { timeoutMs: 20_000, what: "all eight" });
    expect(sandbox.record.limited).toEqual([]);
    await second.stop(1_000);
    await fixture.close();
    await sandbox.close();
  });
});
