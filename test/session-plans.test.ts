import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createSessionCloser } from "../src/conversations/index.ts";
import { openDatabase, silentLogger } from "../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { rowsRead } from "./support/rows-read.ts";

/** The look for sessions that are over reads those that may be, not all that are open. */
const TABLES = ["sessions", "conversations", "connectors"];
const OPEN = 20_000;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test("twenty thousand open sessions, of which a few may be over", async () => {
  const [workspaceId, connectorId] = [randomUUID(), randomUUID()];
  const filler = openDatabase({ url: database.url, max: 1 });
  for (const table of TABLES) {
    await filler.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  }
  await filler.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [workspaceId]);
  await filler.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username, session_hours,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'Desk', 'active', 1, 'b', 24, true, '\\x00', 'k', sha256('\\x00'))`,
    [workspaceId, connectorId],
  );
  await filler.query(
    `INSERT INTO chats (workspace_id, connector_id, chat_id, type)
     SELECT $1, $2, n, 'private' FROM generate_series(1, ${OPEN}) n`,
    [workspaceId, connectorId],
  );
  await filler.query(
    `INSERT INTO conversations (workspace_id, connector_id, chat_id, last_message_at,
       session_last_at)
     SELECT workspace_id, connector_id, chat_id, now(), now() - interval '1 h' FROM chats`,
  );
  // Of ten the time to look has come: five of them are over, five were written to since.
  await filler.query(
    `INSERT INTO sessions (workspace_id, conversation_id, connector_id, started_at, hours, check_at)
     SELECT workspace_id, id, connector_id, now() - interval '2 days', 24,
       now() + CASE WHEN chat_id <= 10 THEN interval '-1 s' ELSE interval '1 h' END
     FROM conversations`,
  );
  await filler.query(
    "UPDATE conversations SET session_last_at = now() - interval '25 h' WHERE chat_id <= 5",
  );
  // What the filling has read is counted before the measurement begins.
  await filler.query("SELECT pg_stat_force_next_flush()");
  await filler.query("SELECT 1");
  await filler.close();

  const worker = openDatabase({ url: database.url, max: 1 });
  const closer = createSessionCloser({ db: worker, log: silentLogger });
  const reads = await rowsRead(worker, TABLES, async () => {
    expect(await closer.runOnce()).toBe(5);
  });
  await worker.close();
  expect(reads).toBeGreaterThan(10);
  expect(reads).toBeLessThan(400);
});
