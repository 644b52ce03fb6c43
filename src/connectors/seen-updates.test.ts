import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { type Database, silentLogger } from "../platform/index.ts";
import { createSeenUpdates } from "./seen-updates.ts";

const workspaceId = randomUUID();
const connectorId = randomUUID();
let database: TestDatabase;
let statements = 0;

/** Counts what is asked of Postgres. */
function counted(db: Database): Database {
  return {
    ...db,
    query: (sql, params) => {
      statements++;
      return db.query(sql, params);
    },
  };
}

beforeAll(async () => {
  database = await createTestDatabase();
  const { db } = database;
  await db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'test')", [workspaceId]);
  await db.query(
    `INSERT INTO connectors (workspace_id, id, name, status, bot_id, username,
       can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
     VALUES ($1, $2, 'Desk', 'active', 1, 'b', true, '\\x00', 'k', sha256('\\x00'))`,
    [workspaceId, connectorId],
  );
});
afterAll(() => database.drop());

const kept = async () => {
  const sql = "SELECT workspace_id, update_ids::text AS ids FROM seen_updates ORDER BY id";
  const rows = await database.db.query<{ workspace_id: string; ids: string }>(sql);
  await database.db.query("DELETE FROM seen_updates");
  return rows.map((row) => [row.workspace_id, row.ids]);
};

test("a stored update costs no statement: a thousand leave in one, as a row a bot", async () => {
  const seen = createSeenUpdates(counted(database.db), silentLogger);
  statements = 0;
  for (let id = 1_000; id > 0; id--) if (id !== 500) seen.note(connectorId, id);
  seen.note(connectorId, 7);
  expect(statements).toBe(0);
  await seen.stop();
  expect(statements).toBe(1);
  expect(await kept()).toEqual([[workspaceId, "{[1,500),[501,1001)}"]]);
});

test("updates that are not stored travel together, and are there when it is said so", async () => {
  const seen = createSeenUpdates(counted(database.db), silentLogger);
  statements = 0;
  await Promise.all(Array.from({ length: 300 }, (_, id) => seen.record(connectorId, 2 * id)));
  expect(statements).toBe(1);
  const [[, ids] = []] = await kept();
  expect(ids?.split("),")).toHaveLength(300);
  await seen.stop();
});

test("the largest number there is, and a connector that is not", async () => {
  const seen = createSeenUpdates(database.db, silentLogger);
  await seen.record(connectorId, 2 ** 52);
  await seen.record(randomUUID(), 1);
  await seen.stop();
  expect(await kept()).toEqual([[workspaceId, `{[${2 ** 52},${2 ** 52 + 1})}`]]);
});

test("what cannot be written is tried no more: its keys tell instead", async () => {
  const away = new Error("Connection terminated");
  const seen = createSeenUpdates(
    { ...database.db, query: () => Promise.reject(away) },
    silentLogger,
  );
  seen.note(connectorId, 1);
  await seen.stop();
  await expect(seen.record(connectorId, 2)).rejects.toThrow(away);
  expect(await kept()).toEqual([]);
});
