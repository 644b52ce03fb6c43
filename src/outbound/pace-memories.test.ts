import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { type Sandbox, startSandbox } from "../../sandbox/index.ts";
import { type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { NO_DOWNLOADS } from "../../test/support/no-downloads.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { ClockWatch, createMetrics, type Database, silentLogger } from "../platform/index.ts";
import { createBotApiFactory } from "../telegram/index.ts";
import { createOutboundHandler } from "./outbound-handler.ts";
import { Pace } from "./pace.ts";
import { PaceMemories } from "./pace-memories.ts";
import { type PaceNewsWish, readPaceNews } from "./pace-reads.ts";
import { PaceKeeper } from "./pace-store.ts";
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

async function connector(botId: number): Promise<string> {
  const id = randomUUID();
  await fixture.database.db.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username, max_send_rate,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'bot', 'active', $3, 'b', 30, true, '\\x00', $2::uuid::text, decode(repeat('00', 32), 'hex'))`,
    [fixture.workspaceId, id, botId],
  );
  return id;
}

/** A pace as a drain under the lease 7 has left it: a group has had what it may have in a minute. */
async function left() {
  const { db } = fixture.database;
  const connectorId = await connector(Math.floor(Math.random() * 1e9));
  const newsOf = async (wish: PaceNewsWish) => (await readPaceNews(db, [wish])).get(wish);
  const nowMs = Date.now();
  const pace = new Pace();
  for (let n = 0; n < 20; n++) pace.record("-7", nowMs - 30_000 + 1_000 * n);
  const known = { db, connectorId, pace, followsConnector: true, newsOf, log: silentLogger };
  const keeper = new PaceKeeper({ ...known, epoch: "7" }, nowMs - 5_000);
  const clock = new ClockWatch();
  return { db, connectorId, nowMs, pace, keeper, clock, memories: new PaceMemories() };
}

test("the next drain goes on with what was known, and learns what others did meanwhile", async () => {
  const { db, connectorId, nowMs, pace, keeper, clock, memories } = await left();
  memories.keep(connectorId, "7", { pace, keeper, clock });
  await db.query(
    `INSERT INTO direct_calls (workspace_id, connector_id, chat_id)
     SELECT $1, $2, unnest(array_fill('-8'::text, ARRAY[20]))`,
    [fixture.workspaceId, connectorId],
  );
  await db.query("INSERT INTO send_holds VALUES ($1, $2, '', now() + interval '1 min')", [
    fixture.workspaceId,
    connectorId,
  ]);
  const known = memories.take(connectorId, "7");
  await known?.keeper.resume("8", Date.now());
  expect(known?.pace).toBe(pace);
  expect(pace.chatNextAtMs("-7", nowMs)).toBeGreaterThan(nowMs + 20_000);
  expect(pace.chatNextAtMs("-8", nowMs)).toBeGreaterThan(nowMs + 50_000);
  expect(pace.heldUntilMs(null)).toBeGreaterThan(nowMs + 50_000);
  // What it learns from then on is its own lease's.
  await db.query(
    "INSERT INTO lanes (queue, lane, workspace_id, epoch) VALUES ('outbound', $1, $2, 8)",
    [connectorId, fixture.workspaceId],
  );
  pace.rate.refused(nowMs, nowMs);
  await keeper.close();
  expect(
    await db.query("SELECT 1 FROM send_rates WHERE connector_id = $1", [connectorId]),
  ).toHaveLength(1);
});

test("it is forgotten once somebody else had the lane, and given out once", async () => {
  const { connectorId, pace, keeper, clock, memories } = await left();
  memories.keep(connectorId, "7", { pace, keeper, clock });
  expect(memories.take(connectorId, "8")).toBeNull();
  expect(memories.take(connectorId, "7")).toBeNull();
  memories.keep(connectorId, "7", { pace, keeper, clock });
  expect(memories.take(connectorId, "7")).toEqual({ pace, keeper, clock });
  expect(memories.take(connectorId, "7")).toBeNull();
  expect(memories.take(connectorId, undefined)).toBeNull();
});

test("a bot that is held is read again, and no more than a thousand are remembered", async () => {
  const { connectorId, nowMs, pace, keeper, clock, memories } = await left();
  for (let n = 0; n < 1_100; n++) memories.keep(`bot ${n}`, "7", { pace, keeper, clock });
  expect(memories.size).toBe(1_000);
  expect(memories.take("bot 99", "7")).toBeNull();
  expect(memories.take("bot 100", "7")).not.toBeNull();
  memories.keep(connectorId, "7", { pace, keeper, clock });
  pace.hold(null, nowMs + 60_000);
  memories.keep(connectorId, "8", { pace, keeper, clock });
  expect(memories.take(connectorId, "8")).toBeNull();
  expect(memories.take(connectorId, "7")).toBeNull();
});

test("calls that went past the drain count for when they left, and holds of every chat are learned", async () => {
  const { db, connectorId, pace, keeper } = await left();
  const keyed = [fixture.workspaceId, connectorId];
  await db.query(
    `INSERT INTO direct_calls (workspace_id, connector_id, chat_id, left_at)
     SELECT $1, $2, '', now() - n * interval '100 ms' FROM generate_series(1, 500) n`,
    keyed,
  );
  await db.query("INSERT INTO send_holds VALUES ($1, $2, '6', now() + interval '1 min')", keyed);
  await keeper.resume("8", Date.now() + 55_000);
  const nowMs = Date.now();
  // Ten a second leave room: nobody waits for all of the last minute's as if they had left just now.
  expect(pace.botNextAtMs(nowMs) - nowMs).toBeLessThan(200);
  expect(pace.chatNextAtMs("6", nowMs)).toBeGreaterThan(nowMs + 50_000);
});

test("a pace from before the clock was set is not gone on with", async () => {
  const { connectorId, pace, keeper, clock, memories } = await left();
  const jump = jest.spyOn(Date, "now");
  const now = Date.now();
  memories.keep(connectorId, "7", { pace, keeper, clock });
  jump.mockReturnValue(now - 3_600_000);
  try {
    expect(memories.take(connectorId, "7")).toBeNull();
    memories.keep(connectorId, "7", { pace, keeper, clock });
    expect(memories.size).toBe(0);
  } finally {
    jump.mockRestore();
  }
});

test("chats of which nothing matters any more are forgotten, and bots with too many chats altogether", async () => {
  const { connectorId, nowMs, keeper, clock, memories } = await left();
  const withChats = (count: number, ageMs: number) => {
    const pace = new Pace();
    for (let n = 0; n < count; n++) pace.record(`${n}`, nowMs - ageMs);
    return pace;
  };
  const idle = withChats(500, 40_000);
  idle.record("-7", nowMs - 40_000);
  memories.keep(connectorId, "7", { pace: idle, keeper, clock });
  expect(memories.take(connectorId, "7")?.pace.size).toBe(1);
  for (let n = 0; n < 7; n++) {
    memories.keep(`bot ${n}`, "7", { pace: withChats(9_000, 1_000), keeper, clock });
  }
  expect(memories.size).toBe(5);
  expect(memories.take("bot 1", "7")).toBeNull();
  expect(memories.take("bot 2", "7")).not.toBeNull();
});

test("a bot that sends now and then reads its last minute once, and again after another holder", async () => {
  const { db } = fixture.database;
  const bot = sandbox.createBot({ name: "Bot", username: "now_and_then_bot" });
  const user = sandbox.createUser({ firstName: "Ada" });
  await sandbox.send({ from: user.id, chatId: user.id, botId: bot.id, text: "hello" });
  const connectorId = await connector(bot.id);
  let reads = 0;
  const query: Database["query"] = (sql, params) => {
    if (sql.startsWith("/* outbound.pace */")) reads++;
    return db.query(sql, params);
  };
  const engine = fixture.engine();
  const handler = createOutboundHandler({
    db: { ...db, query },
    botApiFor: async () => createBotApiFactory({ apiRoot: sandbox.url })(bot.token),
    onUnauthorized: async () => {},
    metrics: createMetrics(),
    log: silentLogger,
    ...NO_DOWNLOADS,
  });
  await engine.startPool("outbound", handler, { slots: 2 });
  const sendOne = async (): Promise<void> => {
    const message = { workspaceId: fixture.workspaceId, connectorId, chatId: `${user.id}` };
    const [sent] = await db.transaction((tx) =>
      submitMessages(tx, engine, [{ ...message, text: "hi" }]),
    );
    await waitFor(
      async () => {
        const rows = await db.query(
          `SELECT 1 FROM outbound_messages m JOIN lanes l ON l.queue = 'outbound' AND l.lane = $2
           WHERE m.id = $1 AND m.state = 'sent' AND l.owner IS NULL`,
          [sent?.id, connectorId],
        );
        return rows.length > 0;
      },
      { what: "the message, and its lane to be free" },
    );
  };
  for (let n = 0; n < 3; n++) await sendOne();
  expect(reads).toBe(1);
  await db.query("UPDATE lanes SET epoch = nextval('lease_epochs') WHERE lane = $1", [connectorId]);
  await sendOne();
  expect(reads).toBe(2);
});
