import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { listEntries, recordAudit, startAuditSealer } from "../src/audit/index.ts";
import { createKeyring, type Database, openDatabase, silentLogger } from "../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { rowsRead } from "./support/rows-read.ts";

/**
 * The log only grows. What a page of it costs, or a turn of the sealer, must not: a statement that read
 * its table would read tens of thousands of rows here.
 */
const GROWN = 40_000;
const TABLES = ["audit_entries", "audit_seals", "audit_unsealed", "audit_heads"];
const workspaceId = randomUUID();
const AT = "2026-01-01T00:00:00Z";
const keyring = createKeyring([{ version: 1, key: randomBytes(32) }]);
let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  const setUp = openDatabase({ url: database.url, max: 1, as: "login" });
  for (const table of TABLES) {
    await setUp.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  }
  await setUp.query(
    `INSERT INTO audit_entries (workspace_id, at, actor_kind, actor_id, action, subject_kind, subject_id)
     SELECT '${workspaceId}', timestamptz '${AT}' + n * interval '1 s', 'api_key',
       CASE WHEN n % 1000 = 7 THEN 'rare' ELSE 'key-1' END,
       CASE WHEN n % 1000 = 7 THEN 'key.created' ELSE 'message.submitted' END, 'message', 'm' || n
     FROM generate_series(1, ${GROWN}) n`,
  );
  await setUp.query(
    `WITH sealed AS (DELETE FROM audit_unsealed RETURNING *)
     INSERT INTO audit_seals SELECT workspace_id, row_number() OVER (ORDER BY entry_id), entry_id,
       sha256('x') FROM sealed`,
  );
  await setUp.query("VACUUM audit_unsealed");
  await setUp.close();
  db = openDatabase({ url: database.url, max: 1 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const reads = (work: () => Promise<unknown>) => rowsRead(db, TABLES, work);

const list = (filter: object, before?: { at: string; id: string }) => () =>
  listEntries(db, { workspaceId, ...filter }, { limit: 20, before });

const place = { at: new Date(Date.parse(AT) + 20_000_000).toISOString(), id: "20000" };
const from = new Date(Date.parse(AT) + 10_000_000).toISOString();
const to = new Date(Date.parse(AT) + 10_010_000).toISOString();

test.each([
  ["the newest", list({})],
  ["a page in the middle", list({}, place)],
  ["a rare action", list({ action: "key.created" })],
  ["a rare actor", list({ actorId: "rare" }, place)],
  ["a subject", list({ subjectId: "m77" })],
  ["a time long ago", list({ from, to })],
])("what is read for %s is what is shown", async (_what, look) => {
  for (let round = 0; round < 3; round++) {
    const read = await reads(look);
    expect({ round, read, bounded: read > 0 && read <= 100 }).toMatchObject({ bounded: true });
  }
});

test("a turn of the sealer reads what waits", async () => {
  const other = randomUUID();
  const sealer = startAuditSealer({ db, keyring, log: silentLogger, tickMs: 0 });
  expect(await reads(() => sealer.runOnce())).toBeLessThan(10);
  for (let round = 0; round < 7; round++) {
    await recordAudit(db, { workspaceId: other, action: "connector.removed", subjectId: "c" });
    expect(await reads(() => sealer.runOnce())).toBeLessThan(100);
  }
  await sealer.stop();
});
