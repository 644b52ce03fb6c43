import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createIngestHandler } from "../src/conversations/index.ts";
import { insertJobs, type NewJob } from "../src/jobs/index.ts";
import { createReplySink } from "../src/outbound/index.ts";
import { type Database, openDatabase, silentLogger } from "../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { drainOnce } from "./support/drain-once.ts";
import { rowsReadSoFar } from "./support/rows-read.ts";
import { waitFor } from "./support/wait-for.ts";

/**
 * Hot statements are planned once a connection, perhaps on an empty database, and a bulk import is
 * there before the statistics are: a batch must read what it is about, whatever the planner believes.
 */
const TABLES = "lanes jobs job_bodies job_keys chats contacts conversations messages".split(" ");
const GROWN = 20_000;
const BATCH = 40;
/** Index and heap rows read for one update, all statements together. */
const READS_PER_UPDATE = 60;

let database: TestDatabase;
const workspaceId = randomUUID();
const connectorId = randomUUID();

beforeEach(async () => {
  database = await createTestDatabase();
  const { db, owner } = database;
  for (const table of TABLES) {
    await owner.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  }
  await db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [workspaceId]);
  await db.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'Desk', 'active', 1, 'b', true, '\\x00', 'k', sha256('\\x00'))`,
    [workspaceId, connectorId],
  );
});
afterEach(() => database.drop());

let lastUpdateId = 0;

/** A batch of updates, each of its own chat. */
function updates(firstChat: number): NewJob[] {
  return Array.from({ length: BATCH }, (_, n) => {
    lastUpdateId++;
    const id = firstChat + n;
    const from = { id, is_bot: false, first_name: "Ada" };
    const message = {
      message_id: lastUpdateId,
      date: 1_790_000_000,
      chat: { id, type: "private", first_name: "Ada" },
      from,
      text: "hello",
    };
    return {
      queue: "ingest",
      lane: `${connectorId}/c${id}`,
      workspaceId,
      kind: "update",
      payload: { connectorId, updateId: lastUpdateId },
      body: Buffer.from(JSON.stringify({ update_id: lastUpdateId, message })),
      uniqueKey: `${connectorId}/${lastUpdateId}`,
    };
  });
}

async function ingest(db: Database, firstChat: number): Promise<void> {
  const replies = createReplySink({ jobs: { enqueueIn: insertJobs } });
  const jobs = updates(firstChat);
  await insertJobs(db, jobs);
  const handler = createIngestHandler({ replies, log: silentLogger });
  expect(await drainOnce(db, handler, jobs)).toBe(BATCH);
}

/** A hundred times and more of what a batch is about: unfinished jobs and finished ones, chats, … */
async function grow(): Promise<void> {
  // A session of its own: what it reads is counted when it ends, not in the middle of a measurement.
  const db = openDatabase({ url: database.url, max: 1 });
  const series = `FROM generate_series(1, ${GROWN}) n`;
  const ids = `'${workspaceId}'::uuid, '${connectorId}'::uuid`;
  const statements = [
    `INSERT INTO lanes (queue, lane, workspace_id, due_at)
       SELECT 'ingest', '${connectorId}/d' || n, '${workspaceId}', now() + interval '1 day' ${series}`,
    `INSERT INTO jobs (workspace_id, id, queue, lane, kind, state, priority, payload, run_at,
         max_attempts, created_at)
       SELECT '${workspaceId}', nextval('job_ids'), 'ingest', '${connectorId}/d' || n, 'update',
         CASE WHEN n % 2 = 0 THEN 'available' ELSE 'completed' END, 5, '{}',
         now() + interval '1 day', 8, now() ${series}`,
    `INSERT INTO job_bodies SELECT workspace_id, id, 'x', now() FROM jobs ON CONFLICT DO NOTHING`,
    `INSERT INTO chats (workspace_id, connector_id, chat_id, type)
       SELECT ${ids}, 1000000 + n, 'private' ${series}`,
    `INSERT INTO contacts (workspace_id, telegram_user_id, first_name, is_bot, updated_at)
       SELECT '${workspaceId}', 1000000 + n, 'A', false, now() ${series}`,
    `INSERT INTO conversations (workspace_id, connector_id, chat_id, last_message_at)
       SELECT ${ids}, 1000000 + n, now() ${series}`,
    `INSERT INTO messages (workspace_id, conversation_id, connector_id, chat_id,
         telegram_message_id, direction, kind, sent_at, received_at)
       SELECT workspace_id, id, connector_id, chat_id, 999999999, 'in', 'text', now(), now()
       FROM conversations`,
  ];
  for (const statement of statements) await db.query(statement);
  await db.close();
}

const rowsRead = () => rowsReadSoFar(database.db, TABLES);

/** Rows read by a batch of updates of chats that are new. */
async function readsOfBatch(db: Database, firstChat: number): Promise<number> {
  const before = await rowsRead();
  await ingest(db, firstChat);
  await db.query("SELECT pg_stat_force_next_flush()");
  await db.query("SELECT 1");
  return (await rowsRead()) - before;
}

const enough = (reads: number) => reads > BATCH && reads < BATCH * READS_PER_UPDATE;

test("plans made without statistics: a batch reads what it is about, not what else there is", async () => {
  await grow();
  const db = openDatabase({ url: database.url, max: 1 });
  for (let round = 0; round < 7; round++) {
    const reads = await readsOfBatch(db, 500_000 + round * BATCH);
    expect({ round, reads, enough: enough(reads) }).toEqual({ round, reads, enough: true });
  }
  await db.close();
});

test("plans made on an empty database are soon made again", async () => {
  const db = openDatabase({ url: database.url, max: 1 });
  for (let round = 0; round < 7; round++) await ingest(db, 1 + round * BATCH);
  await grow();
  let firstChat = 500_000;
  await waitFor(
    async () => {
      firstChat += BATCH;
      return enough(await readsOfBatch(db, firstChat));
    },
    { what: "new plans" },
  );
  await db.close();
});
