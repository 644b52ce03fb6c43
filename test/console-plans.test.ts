import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { listDirectory } from "../src/connectors/index.ts";
import { traceMessages } from "../src/conversations/index.ts";
import { listProcesses, traceJob } from "../src/jobs/index.ts";
import { sendFigures } from "../src/outbound/index.ts";
import { type Database, openDatabase } from "../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { rowsRead } from "./support/rows-read.ts";

/**
 * A page of the console is looked at while the tables are at their largest, and perhaps without
 * statistics: what it reads must be what it shows. A statement that read its table would read
 * thirty thousand rows here.
 */
const GROWN = 30_000;
const TABLES = "jobs lanes processes messages send_attempts send_holds connectors".split(" ");
const owner = randomUUID();
const workspaceId = randomUUID();
const connectorId = randomUUID();
let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  const setUp = openDatabase({ url: database.url, max: 1, as: "login" });
  for (const table of TABLES) {
    await setUp.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  }
  const series = `FROM generate_series(1, ${GROWN}) n`;
  const ids = `'${workspaceId}'::uuid, '${connectorId}'::uuid`;
  const statements = [
    `INSERT INTO workspaces (id, name) VALUES ('${workspaceId}', 'test')`,
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
         can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
       SELECT '${workspaceId}', CASE n WHEN 1 THEN '${connectorId}'::uuid ELSE gen_random_uuid() END,
         'Desk', 'active', n, 'b', true, '\\x00', 'k' || n, sha256('\\x00')
       FROM generate_series(1, 50) n`,
    `INSERT INTO jobs (workspace_id, id, queue, lane, kind, state, filed, priority, payload,
         run_at, max_attempts, created_at, cause_id)
       SELECT '${workspaceId}', n, 'ingest', 'lane-' || n % 100, 'update', 'completed', true, 5, '{}',
         now(), 8, now(), CASE WHEN n % 2 = 0 THEN n - 1 END ${series}`,
    `INSERT INTO lanes (queue, lane, workspace_id, due_at, owner, lease_until)
       SELECT 'ingest', 'held-' || n, '${workspaceId}', now(), '${owner}', now() + interval '1 h'
       ${series}`,
    `INSERT INTO processes VALUES ('${owner}', 'ingest', 'h', 1, '0', '{ingest}', now(), now(),
       ${GROWN}, '{ingest,ingest}', '{held-1,held-2}', 0, 1)`,
    `INSERT INTO chats (workspace_id, connector_id, chat_id, type) VALUES (${`'${workspaceId}', '${connectorId}'`}, 5, 'private')`,
    `INSERT INTO conversations (workspace_id, connector_id, chat_id, last_message_at)
       VALUES ('${workspaceId}', '${connectorId}', 5, now())`,
    `INSERT INTO messages (workspace_id, conversation_id, connector_id, chat_id,
         telegram_message_id, direction, kind, sent_at, received_at)
       SELECT workspace_id, id, connector_id, chat_id, n, 'in', 'text', now(), now()
       FROM conversations, generate_series(1, ${GROWN}) n`,
    `INSERT INTO outbound_messages (workspace_id, id, connector_id, chat_id, kind, text,
         on_unknown) VALUES ('${workspaceId}', '${workspaceId}', '${connectorId}', '5', 'message',
         'x', 'hold')`,
    `INSERT INTO send_attempts (workspace_id, id, message_id, connector_id, chat_id, job_id,
         job_attempt, started_at, deadline_at, outcome)
       SELECT '${workspaceId}', gen_random_uuid(), '${workspaceId}', '${connectorId}', '5', 1, 1,
         now() - interval '1 h', now(), 'sent' ${series}`,
    `INSERT INTO send_holds SELECT ${ids}, n::text, now() + interval '1 h'
       FROM generate_series(1, 100) n`,
  ];
  for (const statement of statements) await setUp.query(statement);
  await setUp.close();
  db = openDatabase({ url: database.url, max: 1 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const reads = (work: () => Promise<unknown>) => rowsRead(db, TABLES, work);

test.each([
  ["a job's causes and effects", () => traceJob(db, { workspaceId, id: "19998" }), 30],
  [
    "the messages a job led to",
    () =>
      traceMessages(db, { workspaceId, connectorId }, { chatId: "5", telegramMessageIds: ["77"] }),
    5,
  ],
  ["the processes with the lanes they hold", () => listProcesses(db), 20],
  ["the bots", () => listDirectory(db, 200), 200],
  ["how a bot sends", () => sendFigures(db, [connectorId]), 300],
])("what is read for %s is what is shown", async (_what, look, most) => {
  // Twice and more: the plan for any parameters comes after the first few.
  for (let round = 0; round < 7; round++) {
    const read = await reads(look);
    expect({ round, read, bounded: read > 0 && read <= most }).toMatchObject({ bounded: true });
  }
});
