import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { NO_DOWNLOADS } from "../../test/support/no-downloads.ts";
import type { Job } from "../jobs/index.ts";
import { createMetrics, silentLogger } from "../platform/index.ts";
import { type BotApi, BotApiError } from "../telegram/index.ts";
import { LearnedRate } from "./learned-rate.ts";
import type { NewMessage } from "./new-message.ts";
import { createOutboundHandler } from "./outbound-handler.ts";
import { Pace } from "./pace.ts";
import { type PaceNewsWish, readPaceNews } from "./pace-reads.ts";
import { PaceKeeper, readPace } from "./pace-store.ts";
import { insertMessages } from "./submit.ts";

let database: TestDatabase;
const workspaceId = randomUUID();
beforeAll(async () => {
  database = await createTestDatabase();
  await database.db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'a')", [workspaceId]);
});
afterAll(() => database.drop());
const newsOf = async (wish: PaceNewsWish) => (await readPaceNews(database.db, [wish])).get(wish);

let bots = 0;
async function connector(maxSendRate = 30): Promise<string> {
  const id = randomUUID();
  await database.db.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username, max_send_rate,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'bot', 'active', $3, 'b', $4, true, '\\x00', $2::uuid::text, decode(repeat('00', 32), 'hex'))`,
    [workspaceId, id, ++bots, maxSendRate],
  );
  return id;
}

/** Attempts to as many chats, the oldest first; ages in ms. */
async function attempts(
  connectorId: string,
  rows: {
    chatId: string;
    begunMs: number;
    endedMs: number | null;
    outcome: string | null;
    cost?: number;
  }[],
) {
  const message = { workspaceId, connectorId, chatId: "5", text: "x" };
  const [messageId] = await database.db.transaction((tx) =>
    insertMessages(tx, [message], "queued"),
  );
  await database.db.query(
    `INSERT INTO send_attempts (workspace_id, id, message_id, connector_id, chat_id, job_id,
       job_attempt, started_at, finished_at, deadline_at, outcome, cost)
     SELECT $1, gen_random_uuid(), $7, $2, t.chat_id, 1, 1, now() - t.begun * interval '1 ms',
       now() - t.ended * interval '1 ms', now(), t.outcome, t.cost
     FROM unnest($3::text[], $4::float8[], $5::float8[], $6::text[], $8::int[])
       AS t(chat_id, begun, ended, outcome, cost)`,
    [
      workspaceId,
      connectorId,
      rows.map((row) => row.chatId),
      rows.map((row) => row.begunMs),
      rows.map((row) => row.endedMs),
      rows.map((row) => row.outcome),
      messageId,
      rows.map((row) => row.cost ?? 1),
    ],
  );
}

test("the pace goes on from the newest calls, each as late as it may have left", async () => {
  const id = await connector();
  const row = (
    chatId: string,
    begunMs: number,
    endedMs: number | null,
    outcome: string | null,
  ) => ({
    chatId,
    begunMs,
    endedMs,
    outcome,
  });
  await attempts(id, [
    row("-7", 20_000, 2_000, "sent"),
    ...Array.from({ length: 19 }, () => row("-7", 15_000, 14_000, "sent")),
    ...Array.from({ length: 20 }, () => row("-8", 15_000, 14_000, "not-sent")),
    row("6", 9_000, null, null),
  ]);
  const nowMs = Date.now();
  const pace = await readPace(database.db, id, { nowMs });
  // The first of its twenty ended fourteen seconds ago.
  const groupMs = pace.chatNextAtMs("-7", nowMs) - nowMs;
  expect(groupMs).toBeGreaterThan(45_000);
  expect(groupMs).toBeLessThan(47_000);
  expect(pace.chatNextAtMs("-8", nowMs)).toBe(nowMs);
  // What nobody saw end may be leaving now.
  const room = new Pace();
  room.record("6", nowMs);
  expect(pace.botNextAtMs(nowMs)).toBeGreaterThanOrEqual(room.botNextAtMs(nowMs));
});

test("a refusal soon after a drain began is understood by what left before it", async () => {
  const id = await connector();
  const ended = Array.from({ length: 11 }, (_, n) => 50 + 40 * n);
  await attempts(
    id,
    ended.map((endedMs, n) => ({
      ...{ chatId: `${n + 1}`, begunMs: endedMs + 10, endedMs },
      outcome: "sent",
    })),
  );
  const nowMs = Date.now();
  const { rate } = await readPace(database.db, id, { nowMs });
  rate.noteLoad(nowMs);
  rate.passed(nowMs, true);
  rate.refused(nowMs + 10, nowMs + 20);
  rate.refused(nowMs + 30, nowMs + 40);
  // By the one call that it made itself it would be three fifths of the rate, twice.
  expect(rate.perSecond).toBeCloseTo(0.975 * 12);
});

test("however many calls the last minute had, all of them count, albums as many as they are", async () => {
  const id = await connector(1_000);
  const many = Array.from({ length: 12_000 }, (_, n) => ({
    chatId: `9${n % 6_000}`,
    begunMs: 25_000 + (n % 900),
    endedMs: 25_000 - n,
    outcome: "sent",
  }));
  const ended = (chatId: string, endedMs: number, cost = 1, begunMs = endedMs) => ({
    ...{ chatId, endedMs, cost, begunMs },
    outcome: "sent",
  });
  await attempts(id, [
    ...many,
    ...Array.from({ length: 20 }, () => ended("-7", 50_000)),
    ended("-8", 40_000, 10),
    ended("-8", 30_000, 10),
    // Its files took two minutes.
    ended("-9", 20_000, 10, 140_000),
    ended("-9", 10_000, 10, 140_000),
    ...Array.from({ length: 35 }, (_, n) => ended("4", 4_000 - n)),
  ]);
  const nowMs = Date.now();
  const pace = await readPace(database.db, id, { nowMs });
  const waitsMs = (chatId: string) => pace.chatNextAtMs(chatId, nowMs) - nowMs;
  // Less what it took to write them. The oldest count as well as the newest.
  const about = (chatId: string, ms: number) => {
    expect(waitsMs(chatId)).toBeLessThan(ms + 1_000);
    expect(waitsMs(chatId)).toBeGreaterThan(ms - 6_000);
  };
  about("-7", 10_300);
  about("-8", 20_300);
  about("-9", 40_300);
  about("4", 26_300);
  expect(waitsMs("90")).toBeLessThanOrEqual(0);
});

test("an attempt counts as many as its message has items", async () => {
  const { begin, job } = await runner(() => Promise.reject(new Error("nothing is sent")));
  const items = ["a", "b", "c"].map((fileId) => ({ type: "photo" as const, file: { fileId } }));
  const [plain, album] = await begin(
    [job(1, "5"), job(2, "6")],
    [{}, { content: { type: "album", items } }],
  );
  const costs = await database.db.query(
    "SELECT id, cost FROM send_attempts WHERE id = ANY ($1) ORDER BY cost",
    [[plain?.attempt.id, album?.attempt.id]],
  );
  expect(costs).toEqual([
    { id: plain?.attempt.id, cost: 1 },
    { id: album?.attempt.id, cost: 3 },
  ]);
});

test("what a drain learns is kept, and the next one goes on with it, below its ceiling", async () => {
  const [learned, untouched, raised] = [await connector(), await connector(), await connector(300)];
  const nowMs = Date.now();
  const open = (connectorId: string) => readPace(database.db, connectorId, { nowMs });
  const keeping = (connectorId: string, pace: Pace) =>
    new PaceKeeper(
      {
        db: database.db,
        connectorId,
        epoch: "0",
        pace,
        followsConnector: true,
        newsOf,
        log: silentLogger,
      },
      nowMs,
    );
  const pace = await open(learned);
  const keeper = keeping(learned, pace);
  pace.rate.refused(nowMs, nowMs);
  await keeper.close();
  expect((await open(learned)).rate.perSecond).toBeCloseTo(0.975 * 29.4);
  // Nothing learned, nothing written.
  await keeping(untouched, await open(untouched)).close();
  const rows = await database.db.query("SELECT connector_id FROM send_rates");
  expect(rows).toEqual([{ connector_id: learned }]);
  expect((await open(raised)).rate.perSecond).toBeCloseTo(29.4);
  await database.db.query("UPDATE connectors SET max_send_rate = 10 WHERE id = $1", [learned]);
  expect((await open(learned)).rate.perSecond).toBeCloseTo(9.8);
});

test("what a drain has learned is not kept once another has taken its lane", async () => {
  const id = await connector();
  const { db } = database;
  await db.query(
    "INSERT INTO lanes (queue, lane, workspace_id, epoch) VALUES ('outbound', $1, $2, 7)",
    [id, workspaceId],
  );
  const nowMs = Date.now();
  const plateauOf = async () =>
    (await db.query("SELECT plateau FROM send_rates WHERE connector_id = $1", [id])).map(
      ({ plateau }) => plateau,
    );
  const learn = async (epoch: string, plateau: number) => {
    const pace = new Pace(undefined, new LearnedRate(30, { plateau, busyMs: 0 }));
    const known = { db, connectorId: id, followsConnector: true, newsOf, log: silentLogger };
    const keeper = new PaceKeeper({ ...known, epoch, pace }, nowMs);
    pace.rate.refused(nowMs, nowMs);
    await keeper.close();
  };
  await learn("6", 20);
  expect(await plateauOf()).toEqual([]);
  // Handed back, and taken by nobody else yet.
  await learn("7", 10);
  expect(await plateauOf()).toEqual([expect.closeTo(9.75)]);
  await learn("6", 20);
  expect(await plateauOf()).toEqual([expect.closeTo(9.75)]);
});

test("a drain that lasts follows a ceiling and a hold that others set", async () => {
  const id = await connector();
  const nowMs = Date.now();
  const pace = new Pace(undefined, new LearnedRate(30));
  const options = {
    db: database.db,
    connectorId: id,
    epoch: "0",
    pace,
    followsConnector: true,
    newsOf,
    log: silentLogger,
  };
  const keeper = new PaceKeeper(options, nowMs);
  await database.db.query("UPDATE connectors SET max_send_rate = 10 WHERE id = $1", [id]);
  await database.db.query("INSERT INTO send_holds VALUES ($1, $2, '', now() + interval '1 min')", [
    workspaceId,
    id,
  ]);
  keeper.note(nowMs + 100);
  await keeper.close();
  expect(pace.rate.perSecond).toBeCloseTo(29.4);
  await database.db.query(
    `INSERT INTO direct_calls (workspace_id, connector_id, chat_id)
     SELECT $1, $2, unnest(array_fill('-4'::text, ARRAY[20]) || '5'::text)`,
    [workspaceId, id],
  );
  await database.db.query("INSERT INTO send_holds VALUES ($1, $2, '5', now() + interval '1 min')", [
    workspaceId,
    id,
  ]);
  keeper.note(nowMs + 5_000);
  await keeper.close();
  const ofGroup = (seen: Pace) => seen.chatNextAtMs("-4", nowMs) - nowMs;
  expect(ofGroup(pace)).toBeGreaterThan(59_000);
  expect(ofGroup(await readPace(database.db, id, { nowMs }))).toBeGreaterThan(59_000);
  expect(pace.rate.perSecond).toBeCloseTo(9.8);
  expect(pace.heldUntilMs(null)).toBeGreaterThan(nowMs + 50_000);
  // What a call that went past the drain met in a chat holds that chat here, too.
  expect(pace.chatNextAtMs("5", nowMs)).toBeGreaterThan(nowMs + 50_000);
});

/** A bot's runner, with a Bot API of the test's. */
async function runner(call: BotApi["call"]) {
  const connectorId = await connector();
  const handler = createOutboundHandler({
    db: database.db,
    botApiFor: async () => ({ ...NO_DOWNLOADS, call }),
    onUnauthorized: async () => {},
    metrics: createMetrics({ processMetrics: false }),
    log: silentLogger,
  });
  const opened = await handler.open({ lane: connectorId, workspaceId, epoch: "0" });
  const job = (id: number, chatId: string, priority = 5): Job => ({
    id: String(id),
    queue: "outbound",
    lane: connectorId,
    workspaceId,
    kind: "message",
    orderingKey: chatId,
    priority,
    payload: {},
    body: null,
    attempts: 0,
    maxAttempts: 10,
    createdAt: new Date(),
    causeId: null,
  });
  /** Puts their attempts on record, as a drain does. */
  const begin = (jobs: Job[], more: Partial<NewMessage>[] = []) =>
    database.db.transaction(async (tx) => {
      const messages = jobs.map((one, n) => ({
        workspaceId,
        connectorId,
        chatId: one.orderingKey ?? "",
        text: "x",
        ...more[n],
      }));
      const ids = await insertMessages(tx, messages, "queued");
      for (const [n, one] of jobs.entries()) one.payload = { messageId: ids[n] ?? "" };
      const owns = await handler.begin?.(tx, jobs);
      return jobs.map((one) => {
        const attempt = owns?.get(one.id);
        if (attempt === undefined) throw new Error("it did not begin");
        return { one, attempt };
      });
    });
  return { opened, job, begin };
}

test("groups and private chats take turns among what is as urgent, the oldest of each first", async () => {
  const { opened, job } = await runner(() => Promise.reject(new Error("nothing is sent")));
  const ready = [
    job(14, "7", 2),
    job(9, "6"),
    job(10, "-1"),
    job(11, "-2"),
    job(12, "-3"),
    job(13, "5"),
  ];
  const chosen: string[] = [];
  const nowMs = Date.now();
  while (ready.length > 0) {
    const choice = opened.choose?.(ready, nowMs);
    if (choice === undefined || !("job" in choice)) throw new Error("nothing was chosen");
    chosen.push(choice.job.id);
    ready.splice(ready.indexOf(choice.job), 1);
  }
  expect(chosen).toEqual(["14", "9", "10", "13", "11", "12"]);
});

test("nothing leaves once a refusal has arrived, though it was chosen and begun before", async () => {
  const called: unknown[] = [];
  const gates: Record<string, (error: unknown) => void> = {};
  const { opened, job, begin } = await runner((_method, params) => {
    const chat = String(params?.chat_id);
    called.push(chat);
    return new Promise((_, reject) => {
      gates[chat] = reject;
    });
  });
  const refusal = (retryAfterSeconds: number) =>
    new BotApiError({
      method: "sendMessage",
      kind: "rate-limited",
      status: 429,
      sent: "no",
      description: "Too Many Requests",
      retryAfterSeconds,
    });
  const signal = new AbortController().signal;
  const nowMs = Date.now();
  const jobs = [job(1, "11"), job(2, "12"), job(3, "13")];
  for (const one of jobs) opened.choose?.([one], nowMs);
  const [first, second, third] = await begin(jobs);
  if (!first || !second || !third) throw new Error("three were made");
  const running = [first, second].map(({ one, attempt }) => opened.run(one, signal, attempt));
  while (called.length < 2) await new Promise(setImmediate);
  gates["11"]?.(refusal(40));
  gates["12"]?.(refusal(30));
  await Promise.all(running);
  expect(second.attempt.holds.map(({ chatId }) => chatId)).toEqual(["12", ""]);
  // To the later of both times, and so it stands on record, whoever looks next.
  expect(second.attempt.holds[0]?.forS).toBe(30);
  expect(second.attempt.holds[1]?.forS).toBeGreaterThan(35);
  const outcome = await opened.run(third.one, signal, third.attempt);
  expect(called).toEqual(["11", "12"]);
  expect(outcome).toMatchObject({ type: "pause", reason: "held" });
  if (outcome.type === "pause") expect(outcome.untilMs).toBeGreaterThan(nowMs + 39_000);
  expect(third.attempt.result).toMatchObject({ attempt: "not-sent" });
  await opened.close?.();
});
