import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  adminQuery,
  createEmptyDatabase,
  createTestDatabase,
  type TestDatabase,
} from "../../test/support/database.ts";
import { type Database, openDatabase } from "./database.ts";
import { assertDatabaseReady, DatabaseNotReady } from "./database-ready.ts";

let database: TestDatabase;
const login = `login_${randomBytes(4).toString("hex")}`;
const opened: Database[] = [];

/** The database as that login sees it; roles and logins belong to the whole server. */
function openAs(user: string, url = database.url): Database {
  const address = new URL(url);
  address.username = user;
  address.password = "pw";
  const db = openDatabase({ url: address.toString(), max: 1 });
  opened.push(db);
  return db;
}

beforeAll(async () => {
  database = await createTestDatabase();
  await adminQuery(database.url, `CREATE ROLE ${login} LOGIN PASSWORD 'pw'`);
});
afterAll(async () => {
  for (const db of opened) await db.close();
  await adminQuery(database.url, `DROP ROLE ${login}`);
  await database.drop();
});

/** One line, for whoever starts the process. */
async function wrongWith(db: Database): Promise<string> {
  const error = await assertDatabaseReady(db).then(
    () => new Error("it is ready"),
    (thrown) => thrown as Error,
  );
  expect(error).toBeInstanceOf(DatabaseNotReady);
  expect(error.message).not.toContain("\n");
  return error.message;
}

test("a migrated database is ready", async () => {
  await assertDatabaseReady(database.db);
});

test("one that is not migrated says so", async () => {
  const empty = await createEmptyDatabase();
  const db = openDatabase({ url: empty.url, max: 1 });
  expect(await wrongWith(db)).toContain("is not migrated: run `heliograph migrate`");
  await db.close();
  await empty.drop();
});

describe("a login that may not take the roles is told what to run", () => {
  test("the engine's", async () => {
    const needed = "GRANT heliograph_engine, heliograph_tenant TO that login";
    expect(await wrongWith(openAs(login))).toContain(needed);
  });

  test("the tenant's; with both it works", async () => {
    await adminQuery(database.url, `GRANT heliograph_engine TO ${login}`);
    const needed = `GRANT heliograph_engine, heliograph_tenant TO "${login}"`;
    expect(await wrongWith(openAs(login))).toContain(needed);
    await adminQuery(database.url, `GRANT heliograph_tenant TO ${login}`);
    const db = openAs(login);
    await assertDatabaseReady(db);
    expect(await db.query("SELECT FROM jobs")).toEqual([]);
    expect(await db.asTenant(NOBODY).query("SELECT FROM chats")).toEqual([]);
  });
});

const NOBODY = "00000000-0000-4000-8000-000000000000";

test("what drops the startup options is named: connections would work as the login", async () => {
  const dropped = openDatabase({ url: database.url, max: 1, as: "login" });
  expect(await wrongWith(dropped)).toContain('does not pass the startup parameter "options"');
  await dropped.close();
  // As PgBouncer says it.
  const refusal = Object.assign(new Error("unsupported startup parameter: options"), {
    code: "08P01",
  });
  const refusing = assertDatabaseReady({ query: () => Promise.reject(refusal) });
  await expect(refusing).rejects.toThrow('does not pass the startup parameter "options"');
});

test.each([
  [{ bypasses: true }, "NOSUPERUSER NOBYPASSRLS"],
  [{ tenant_is_engine: true }, "has to revoke that"],
])("roles that keep nobody apart are refused: %j", async (found, said) => {
  const right = { role: "heliograph_engine", login, is_migrated: true, may_act: true };
  const answer = { ...right, bypasses: false, tenant_is_engine: false, ...found };
  const query = async <Row extends object>() => [answer] as unknown as Row[];
  await expect(assertDatabaseReady({ query })).rejects.toThrow(said);
});

test("a database that is away is no verdict on it", async () => {
  const away = openDatabase({ url: "postgres://u:p@127.0.0.1:1/d", max: 1 });
  const error = await assertDatabaseReady(away).catch((thrown) => thrown);
  expect(error).not.toBeInstanceOf(DatabaseNotReady);
  await away.close();
});
