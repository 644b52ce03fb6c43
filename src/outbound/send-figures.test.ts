import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { createMetrics, silentLogger } from "../platform/index.ts";
import { createOutboundHandler } from "./outbound-handler.ts";
import { sendFigures } from "./send-figures.ts";

let database: TestDatabase;
const workspaceId = randomUUID();
const other = randomUUID();
beforeAll(async () => {
  database = await createTestDatabase();
  await database.db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'a'), ($2, 'b')", [
    workspaceId,
    other,
  ]);
});
afterAll(() => database.drop());

let botId = 1;
async function connector(workspace = workspaceId): Promise<string> {
  const id = randomUUID();
  await database.db.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'bot', 'active', $3, 'b', true, '\\x00', $2::uuid::text, decode(repeat('00', 32), 'hex'))`,
    [workspace, id, botId++],
  );
  return id;
}

async function attempts(connectorId: string, outcome: string | null, count: number, ageS: number) {
  await database.db.query(
    `WITH m AS (
       INSERT INTO outbound_messages (workspace_id, id, connector_id, chat_id, kind, text, on_unknown)
       SELECT $1, gen_random_uuid(), $2, '5', 'message', 'x', 'hold' FROM generate_series(1, $4)
       RETURNING id)
     INSERT INTO send_attempts (workspace_id, id, message_id, connector_id, chat_id, job_id,
       job_attempt, started_at, deadline_at, outcome)
     SELECT $1, gen_random_uuid(), id, $2, '5', 1, 1, now() - $5 * interval '1 s', now(), $3 FROM m`,
    [workspaceId, connectorId, outcome, count, ageS],
  );
}

const hold = (connectorId: string, chatId: string, forS: number, workspace = workspaceId) =>
  database.db.query("INSERT INTO send_holds VALUES ($1, $2, $3, now() + $4 * interval '1 s')", [
    workspace,
    connectorId,
    chatId,
    forS,
  ]);

test("counts the last minute's attempts by what became of them, each bot its own", async () => {
  const [busy, quiet] = [await connector(), await connector()];
  await attempts(busy, "sent", 90, 5);
  await attempts(busy, "sent", 50, 120);
  await attempts(busy, "rate-limited", 3, 1);
  await attempts(busy, "unknown", 2, 1);
  await attempts(busy, "not-sent", 1, 1);
  await attempts(busy, null, 4, 1);
  const figures = await sendFigures(database.db, [busy, quiet, randomUUID()]);
  expect([...figures.keys()].sort()).toEqual([busy, quiet].sort());
  expect(figures.get(busy)).toMatchObject({
    sendRate: 1.5,
    sent: 90,
    rateLimited: 3,
    unknown: 2,
    failed: 1,
  });
  expect(figures.get(quiet)).toEqual({
    sendRate: 0,
    learnedRate: null,
    sent: 0,
    rateLimited: 0,
    failed: 0,
    unknown: 0,
    heldUntil: null,
    heldChats: 0,
    holds: [],
  });
});

test("tells the bot's hold apart from its chats', counts all and names ten, forgets what is over", async () => {
  const [held, over, foreign] = [await connector(), await connector(), await connector(other)];
  await hold(held, "", 300);
  for (let n = 1; n <= 12; n++) await hold(held, String(n), n * 60);
  await hold(held, "99", -1);
  await hold(over, "", -1);
  await hold(foreign, "", 60, other);
  const figures = await sendFigures(database.db, [held, over, foreign]);
  const own = figures.get(held);
  expect(Date.parse(own?.heldUntil ?? "") - Date.now()).toBeGreaterThan(200_000);
  expect(own?.heldChats).toBe(12);
  expect(own?.holds.map((each) => each.chatId)).toEqual([
    "12",
    "11",
    "10",
    "9",
    "8",
    "7",
    "6",
    "5",
    "4",
    "3",
  ]);
  expect(figures.get(over)).toMatchObject({ heldUntil: null, heldChats: 0 });
  expect(figures.get(foreign)?.heldUntil).not.toBeNull();
});

test("a worker that starts reads the holds back, of the bot and of a chat", async () => {
  const handler = createOutboundHandler({
    db: database.db,
    botApiFor: async () => Promise.reject(new Error("nothing is to be sent")),
    onUnauthorized: async () => {},
    metrics: createMetrics({ processMetrics: false }),
    log: silentLogger,
  });
  const [bot, chat] = [await connector(), await connector()];
  await hold(bot, "", 120);
  await hold(chat, "7", 120);
  const nowMs = Date.now();
  const job = {
    id: "1",
    queue: "outbound" as const,
    lane: bot,
    workspaceId,
    kind: "message",
    orderingKey: "8",
    priority: 2,
    payload: {},
    body: null,
    attempts: 0,
    maxAttempts: 10,
    createdAt: new Date(),
    causeId: null,
  };
  const ofBot = await handler.open({ lane: bot, workspaceId, epoch: "0" });
  const choice = ofBot.choose?.([job], nowMs);
  expect(choice).toEqual({ waitUntilMs: expect.any(Number), forAll: true });
  expect((choice as { waitUntilMs: number }).waitUntilMs).toBeGreaterThan(nowMs + 60_000);
  const ofChat = await handler.open({ lane: chat, workspaceId, epoch: "0" });
  expect(ofChat.held?.(nowMs).keys).toEqual(["7"]);
  expect(ofChat.choose?.([job], nowMs)).toEqual({ job });
});
