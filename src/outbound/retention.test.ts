import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { createRetention, silentLogger } from "../platform/index.ts";
import { outboundRetentionRules } from "./retention.ts";

const DAY_MS = 24 * 3_600_000;
const ids = { workspaceId: randomUUID(), connectorId: randomUUID() };
let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  const { db } = database;
  await db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [ids.workspaceId]);
  await db.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'bot', 'active', 1, 'desk_bot', true, '\\x00', 'key', decode(repeat('00', 32), 'hex'))`,
    [ids.workspaceId, ids.connectorId],
  );
});
afterAll(() => database.drop());

const runOnce = () =>
  createRetention({
    db: database.db,
    log: silentLogger,
    rules: outboundRetentionRules({ attemptsMs: 7 * DAY_MS }),
    batchRows: 7,
    pauseMs: 0,
  }).runOnce();

/** A message in `state`, and `count` attempts that began so many days ago. */
async function attempts(state: string, count: number, daysAgo: number, isEnded = true) {
  const messageId = randomUUID();
  await database.db.query(
    `INSERT INTO outbound_messages (workspace_id, id, connector_id, chat_id, kind, text,
       on_unknown, state)
     VALUES ($1, $2, $3, '5', 'message', 'hi', 'hold', $4)`,
    [ids.workspaceId, messageId, ids.connectorId, state],
  );
  await database.db.query(
    `INSERT INTO send_attempts (workspace_id, id, message_id, connector_id, chat_id, job_id,
       job_attempt, started_at, deadline_at, finished_at)
     SELECT $1, gen_random_uuid(), $2, $3, '5', 1, 1, at, at + interval '15 s',
       CASE WHEN $6 THEN at + interval '1 s' END
     FROM (SELECT now() - $5 * interval '1 day' + n * interval '1 ms' AS at
       FROM generate_series(1, $4::int) AS n) t`,
    [ids.workspaceId, messageId, ids.connectorId, count, daysAgo, isEnded],
  );
  return messageId;
}

const left = async () =>
  (
    await database.db.query<{ message_id: string; n: number }>(
      "SELECT message_id, count(*)::int AS n FROM send_attempts GROUP BY 1",
    )
  ).reduce((map, { message_id, n }) => map.set(message_id, n), new Map<string, number>());

test("old attempts go, of whatever message; the young stay, and those that may have been sent", async () => {
  const underWay = await attempts("sending", 9, 9, false);
  await attempts("sent", 20, 8);
  await attempts("queued", 20, 8);
  await attempts("failed", 1, 8, false);
  const doubtful = await attempts("queued", 2, 8);
  await database.db.query("UPDATE send_attempts SET outcome = 'unknown' WHERE message_id = $1", [
    doubtful,
  ]);
  const young = await attempts("sent", 3, 6);
  expect(await runOnce()).toMatchObject({ "send attempts": 41 });
  expect(await left()).toEqual(
    new Map([
      [underWay, 9],
      [doubtful, 2],
      [young, 3],
    ]),
  );
});

test("holds go a day after they are over, calls past the queue once no pace looks at them", async () => {
  await database.db.query(
    `INSERT INTO send_holds (workspace_id, connector_id, chat_id, until)
     SELECT $1, $2, n::text, now() - interval '24.5 h' + n * interval '1 h'
     FROM generate_series(-20, 30) AS n`,
    [ids.workspaceId, ids.connectorId],
  );
  await database.db.query(
    `INSERT INTO direct_calls (workspace_id, connector_id, chat_id, left_at)
     SELECT $1, $2, '5', now() - n * interval '1 min' FROM generate_series(1, 20) AS n`,
    [ids.workspaceId, ids.connectorId],
  );
  expect(await runOnce()).toMatchObject({ "send holds": 21, "direct calls": 11 });
  const [row] = await database.db.query(
    "SELECT count(*)::int AS n, min(chat_id::int) AS first FROM send_holds",
  );
  expect(row).toEqual({ n: 30, first: 1 });
});
