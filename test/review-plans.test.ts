import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createDialogKeeper } from "../src/compliance/index.ts";
import { insertJobs } from "../src/jobs/index.ts";
import type { JobSink } from "../src/outbound/index.ts";
import { type Database, openDatabase, silentLogger } from "../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { rowsRead } from "./support/rows-read.ts";
import { submitMany } from "./support/waiting-evidence.ts";

/**
 * Very much waits for its review: whoever reviews is given a few cards, and a turn reads the rows of those,
 * tables grown and without statistics. How much waits beside them is counted up to a thousand.
 */
const WAITING = 10_000;
const CARDS = 10;
const TABLES = [
  ..."dialogs evidence evidence_revisions evidence_files controls".split(" "),
  ..."people chats conversations contacts connectors".split(" "),
];
const [workspaceId, connectorId] = [randomUUID(), randomUUID()];
const jobs: JobSink = { enqueueIn: (tx, some) => insertJobs(tx.engine, some) };
let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  const setUp = openDatabase({ url: database.url, max: 1 });
  for (const table of TABLES) {
    await database.owner.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  }
  const bot = `'${workspaceId}'::uuid, '${connectorId}'::uuid`;
  for (const statement of [
    `INSERT INTO workspaces (id, name) VALUES ('${workspaceId}', 'test')`,
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES (${bot}, 'Desk', 'active', 1, 'b', true, '\\x00', 'key', sha256('\\x00'))`,
    `INSERT INTO chats (workspace_id, connector_id, chat_id, type)
     SELECT ${bot}, n, 'private' FROM generate_series(1, 5000) n`,
    `INSERT INTO people (workspace_id, name, telegram_user_id, bound_at, role)
     SELECT '${workspaceId}', 'P', n, now(), CASE WHEN n <= 2 THEN 'officer' ELSE 'employee' END
     FROM generate_series(1, 5000) n`,
  ]) {
    await setUp.query(statement);
  }
  // By a bot that nobody reviews at, and after it by the API.
  for (const bot of [randomUUID(), undefined]) {
    await submitMany(setUp, workspaceId, { count: WAITING, told: true, bot });
  }
  await setUp.close();
  db = openDatabase({ url: database.url, max: 1 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const turn = () => createDialogKeeper({ db, jobs, log: silentLogger }).runOnce();
const cards = async (): Promise<number[]> => {
  const rows = await db.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM dialogs WHERE ended_at IS NULL GROUP BY chat_id",
  );
  return rows.map(({ n }) => n);
};

test("two officers have ten cards each, whatever waits, and a turn reads a few rows", async () => {
  const read = { given: await rowsRead(db, TABLES, turn), full: 0, next: 0 };
  expect(await cards()).toEqual([CARDS, CARDS]);
  read.full = await rowsRead(db, TABLES, turn);
  expect(await cards()).toEqual([CARDS, CARDS]);

  await db.query(
    `UPDATE dialogs SET state = 'left', ended_at = now()
     WHERE id IN (SELECT id FROM dialogs WHERE chat_id = 1 LIMIT 1)`,
  );
  read.next = await rowsRead(db, TABLES, turn);
  const bounds = { given: 3_000, full: 100, next: 1_500 };
  const many = Object.entries(read).filter(([name, n]) => n > bounds[name as keyof typeof bounds]);
  expect(many).toEqual([]);
  expect(await cards()).toEqual([CARDS, CARDS]);
  const [told] = await db.query<{ text: string }>(
    "SELECT text FROM outbound_messages ORDER BY job_id DESC LIMIT 1",
  );
  expect(told?.text).toContain("More than 1,000 others wait for their review.");
});
