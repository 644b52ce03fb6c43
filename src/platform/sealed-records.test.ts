import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import type { VersionedKey } from "./encryption-keys.ts";
import { createKeyring } from "./keyring.ts";
import { findUnreadable, rewrapSealed } from "./sealed-records.ts";

const COLUMN = { table: "notes", column: "secret" };
const keyOf = (version: number): VersionedKey => ({ version, key: Buffer.alloc(32, version) });
const v1 = keyOf(1);
const v2 = keyOf(2);
const v3 = keyOf(3);
const workspaceId = randomUUID();

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  await database.owner.query(
    "CREATE TABLE notes (workspace_id uuid, id uuid, secret bytea, PRIMARY KEY (workspace_id, id))",
  );
});
beforeEach(async () => {
  await database.db.query("TRUNCATE notes");
});
afterAll(() => database.drop());

const placeOf = (row: string) => ({ workspaceId, ...COLUMN, row });

async function write(count: number, ...keys: VersionedKey[]): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomUUID());
  const keyring = createKeyring(keys);
  await database.db.query(
    "INSERT INTO notes SELECT $1, * FROM unnest($2::uuid[], $3::bytea[]) AS n(id, secret)",
    [workspaceId, ids, ids.map((id) => keyring.seal(`note ${id}`, placeOf(id)))],
  );
  return ids;
}

async function sealedOf(id: string): Promise<Buffer> {
  const [row] = await database.db.query<{ secret: Buffer }>(
    "SELECT secret FROM notes WHERE id = $1",
    [id],
  );
  return row?.secret ?? Buffer.alloc(0);
}

const rewrap = (...keys: VersionedKey[]) =>
  rewrapSealed(database.db, createKeyring(keys), [COLUMN]);

test("every record is wrapped by the newest key, over several batches; a second run finds nothing", async () => {
  const ids = [...(await write(1_100, v1)), ...(await write(3, v2))];
  await database.db.query("INSERT INTO notes VALUES ($1, $2, NULL)", [workspaceId, randomUUID()]);
  expect(await rewrap(v3, v2, v1)).toEqual({ rewrapped: 1_103, unreadable: [], left: 0 });
  const newest = createKeyring([v3]);
  for (const id of ids.slice(-20)) {
    expect(newest.open(await sealedOf(id), placeOf(id)).toString()).toBe(`note ${id}`);
  }
  const rows = await database.db.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM notes WHERE substring(secret FROM 2 FOR 2) = '\\x0003'",
  );
  expect(rows).toEqual([{ count: 1_103 }]);
  expect(await rewrap(v3)).toEqual({ rewrapped: 0, unreadable: [], left: 0 });
});

test("what cannot be read is named, and left as it is; the rest is wrapped again", async () => {
  const [lost = ""] = await write(1, v1);
  const [old = ""] = await write(1, v2);
  const broken = randomUUID();
  await database.db.query("INSERT INTO notes VALUES ($1, $2, '\\x0102')", [workspaceId, broken]);
  const before = await sealedOf(lost);
  const result = await rewrap(v3, v2);
  expect(result).toMatchObject({ rewrapped: 1, left: 0 });
  expect(result.unreadable).toHaveLength(2);
  expect(result.unreadable).toEqual(
    expect.arrayContaining([
      { ...COLUMN, workspaceId, row: lost, keyVersion: 1 },
      { ...COLUMN, workspaceId, row: broken, keyVersion: null },
    ]),
  );
  expect(await sealedOf(lost)).toEqual(before);
  expect(
    createKeyring([v3])
      .open(await sealedOf(old), placeOf(old))
      .toString(),
  ).toBe(`note ${old}`);
  // With its key back, it is like the others.
  expect(await rewrap(v3, v1)).toMatchObject({ rewrapped: 1 });
});

test("a record that somebody replaces meanwhile keeps what they wrote", async () => {
  const [id = ""] = await write(1, v1);
  const theirs = createKeyring([v2, v1]).seal("theirs", placeOf(id));
  const { db } = database;
  // They write after it was read, before it is written back.
  const interrupted = {
    ...db,
    transaction: async <Result>(work: Parameters<typeof db.transaction<Result>>[0]) => {
      await db.query("UPDATE notes SET secret = $2 WHERE id = $1", [id, theirs]);
      return db.transaction<Result>(work);
    },
  };
  const result = await rewrapSealed(interrupted, createKeyring([v2, v1]), [COLUMN]);
  expect(result).toEqual({ rewrapped: 0, unreadable: [], left: 0 });
  expect(await sealedOf(id)).toEqual(theirs);
});

test("a process that goes on sealing with an older key is told of", async () => {
  const [id = ""] = await write(1, v1);
  const { db } = database;
  const busy = {
    ...db,
    transaction: async <Result>(work: Parameters<typeof db.transaction<Result>>[0]) => {
      const again = createKeyring([v1]).seal("again", placeOf(id));
      await db.query("UPDATE notes SET secret = $2 WHERE id = $1", [id, again]);
      return db.transaction<Result>(work);
    },
  };
  const result = await rewrapSealed(busy, createKeyring([v2, v1]), [COLUMN]);
  expect(result).toEqual({ rewrapped: 0, unreadable: [], left: 1 });
});

test("a process says which records its keys do not open: not more than are worth reading", async () => {
  await write(130, v1);
  await write(1, v2);
  const { records, total } = await findUnreadable(database.db, createKeyring([v2]), [COLUMN]);
  expect(total).toBe(130);
  expect(records).toHaveLength(100);
  expect(records[0]).toEqual({
    ...COLUMN,
    workspaceId,
    row: expect.any(String),
    keyVersion: 1,
  });
  const both = createKeyring([v2, v1]);
  expect(await findUnreadable(database.db, both, [COLUMN])).toEqual({ records: [], total: 0 });
});

test("no key is random enough to be told from its version alone: another key of the same version", async () => {
  const [id = ""] = await write(1, v1);
  const before = await sealedOf(id);
  const impostor = { version: 1, key: randomBytes(32) };
  expect(await rewrap(v2, impostor)).toMatchObject({ rewrapped: 0, unreadable: [{ row: id }] });
  expect(await sealedOf(id)).toEqual(before);
});
