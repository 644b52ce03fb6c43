import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { recordAudit } from "../src/audit/index.ts";
import {
  assertDatabaseReady,
  migrate,
  openDatabase,
  type Transactor,
} from "../src/platform/index.ts";
import { createEntry, type EntryValues, readSummary, removeEntry } from "../src/register/index.ts";
import { adminQuery, withDatabase } from "../test/support/database.ts";
import { type OwnPostgres, startPostgres } from "../test/support/postgres.ts";
import { migrations } from "./index.ts";

/** Roles belong to the whole server: this file has one of its own, where nobody has made any yet. */
let postgres: OwnPostgres;
beforeAll(async () => {
  postgres = await startPostgres({ settings: { max_connections: "60" } });
});
afterAll(() => postgres.destroy());

const admin = (sql: string) => adminQuery(postgres.url, sql);

/** A database that belongs to a login without further rights; gives how that login connects. */
async function databaseOf(login: string, name = `d_${randomUUID()}`): Promise<string> {
  const owner = `"${login.replaceAll('"', '""')}"`;
  await admin(`CREATE DATABASE "${name}" OWNER ${owner} TEMPLATE template0`);
  const url = new URL(withDatabase(postgres.url, name));
  url.username = encodeURIComponent(login);
  url.password = "pw";
  return url.toString();
}

/** Links that go with an entry go by the tables' owner's hand, and are counted all the same. */
async function assertCounts(own: Transactor, workspaceId: string): Promise<void> {
  const add = (kind: "framework" | "requirement" | "control", values: EntryValues) =>
    own.transaction((tx) =>
      createEntry(tx, { workspaceId, kind, values: { ...values, code: "X", title: "X" } }),
    );
  const { id: framework } = await add("framework", {});
  const { id: requirement } = await add("requirement", { framework });
  const { id } = await add("control", { status: "active", requirements: [requirement] });
  expect((await readSummary(own, workspaceId)).score).toBe(100);
  await own.transaction((tx) => removeEntry(tx, { workspaceId, kind: "control", id }));
  expect((await readSummary(own, workspaceId)).score).toBe(0);
}

/** The engine works there, and so does a workspace; neither is more than it should be. */
async function assertWorks(url: string): Promise<void> {
  const db = openDatabase({ url, max: 2 });
  try {
    await assertDatabaseReady(db);
    const workspaceId = randomUUID();
    await db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'W')", [workspaceId]);
    const own = db.asTenant(workspaceId);
    await recordAudit(own, { workspaceId, action: "key.created", subjectId: "k" });
    expect(await own.query("SELECT id FROM workspaces")).toEqual([{ id: workspaceId }]);
    expect(await db.asTenant(randomUUID()).query("SELECT FROM audit_entries")).toEqual([]);
    await assertCounts(own, workspaceId);
  } finally {
    await db.close();
  }
}

/** Connected as itself and not as the engine, the owner of the tables is held by the policies as well. */
async function countAsLogin(url: string): Promise<number> {
  const db = openDatabase({ url, max: 1, as: "login" });
  try {
    const [row] = await db.query<{ n: number }>("SELECT count(*)::int AS n FROM workspaces");
    return row?.n ?? -1;
  } finally {
    await db.close();
  }
}

test("where nobody has migrated yet there are no roles: a start says what to do", async () => {
  const db = openDatabase({ url: postgres.url, max: 1 });
  await expect(assertDatabaseReady(db)).rejects.toThrow(
    "is not migrated: run `heliograph migrate`",
  );
  await db.close();
});

test("databases of one server that are migrated at the same moment all come to be", async () => {
  await admin("CREATE ROLE maker LOGIN CREATEROLE PASSWORD 'pw'");
  const owned = await Promise.all([1, 2, 3].map(() => databaseOf("maker")));
  const superusers = [1, 2].map((n) => withDatabase(postgres.url, `super_${n}`));
  for (const n of [1, 2]) await admin(`CREATE DATABASE super_${n} TEMPLATE template0`);
  // The first ones find no roles there, whoever of them makes them; the others are no members.
  for (const urls of [owned, superusers]) {
    const applied = await Promise.all([...urls, ...urls].map((url) => migrate(url, migrations)));
    expect(applied.flat()).toHaveLength(urls.length * migrations.length);
    for (const url of urls) {
      expect(await migrate(url, migrations)).toEqual([]);
      await assertWorks(url);
    }
  }
}, 60_000);

test("a login that may make no roles is told what a DBA has to run, and that is enough", async () => {
  await admin(`CREATE ROLE "it's ""Ada""" LOGIN PASSWORD 'pw'`);
  const url = await databaseOf(`it's "Ada"`);
  const said = await migrate(url, migrations).catch((error) => String(error.message));
  expect(said).not.toContain("\n");
  const sql = /a DBA has to run first: (.*)$/.exec(String(said))?.[1] ?? "";
  const granting = sql.replace(/CREATE ROLE \w+; /g, "");
  expect(sql).toContain("CREATE ROLE heliograph_tenant; CREATE ROLE heliograph_engine; GRANT");
  // Nothing of the release is left behind.
  await expect(countAsLogin(url)).rejects.toThrow("does not exist");
  await admin(granting);
  expect(await migrate(url, migrations)).toHaveLength(migrations.length);
  await assertWorks(url);
});

test("the owner of the tables passes no policy by", async () => {
  await admin("CREATE ROLE owner LOGIN PASSWORD 'pw'");
  await admin("GRANT heliograph_engine, heliograph_tenant TO owner");
  const url = await databaseOf("owner");
  await migrate(url, migrations);
  await assertWorks(url);
  expect(await countAsLogin(url)).toBe(1);
  // Who may take the engine's role and has no part of it by default is held as anybody.
  await admin("REVOKE heliograph_engine FROM owner");
  await admin("GRANT heliograph_engine TO owner WITH INHERIT FALSE");
  expect(await countAsLogin(url)).toBe(0);
  await assertWorks(url);
});
