import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  type Database,
  ENGINE_ROLE,
  openDatabase,
  type Queryable,
  sqlState,
  TENANT_ROLE,
} from "../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { foreignKeys, tenantTables } from "./support/tenancy-catalogue.ts";
import { type JsonRow, TenantRows } from "./support/tenant-rows.ts";

/**
 * Two workspaces have a row of every table each, and one of them tries to get at the other's, as the
 * tenant role over a pool of one connection. It is given every right on the tables first, so that
 * it is the policies and keys that are tried; what the role may do at all is tried at the end.
 */
let database: TestDatabase;
let db: Database;
const a = randomUUID();
const b = randomUUID();
const rowsOf = new Map<string, { a: JsonRow; b: JsonRow }>();
const tables: { name: string; workspace: string }[] = [];
/** What a row of another table sets off takes the rows of this one: its own is made last. */
const FOLDED = "register_count_changes";
const byFolding = (a: { name: string }, b: { name: string }) =>
  Number(a.name === FOLDED) - Number(b.name === FOLDED);
/** Refuse every change, whoever's the row is. */
const APPEND_ONLY = ["audit_entries", "audit_seals", "risk_acceptances"];

beforeAll(async () => {
  database = await createTestDatabase();
  const { owner } = database;
  const ofA = new TenantRows(owner, a);
  const ofB = new TenantRows(owner, b);
  tables.push(...(await tenantTables(owner)).sort(byFolding));
  for (const { name } of tables) rowsOf.set(name, { a: await ofA.of(name), b: await ofB.of(name) });
  db = openDatabase({ url: database.url, max: 1 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const count = async (on: Queryable, table: string, condition = "true") => {
  const sql = `SELECT count(*)::int AS n FROM ${table} WHERE ${condition}`;
  return (await on.query<{ n: number }>(sql))[0]?.n;
};

/** Runs it as `b`, and takes back what it did. */
async function asB(work: (on: Queryable) => Promise<unknown>): Promise<void> {
  const undo = new Error("only tried");
  const tried = db.asTenant(b).transaction(async (tx) => {
    await work(tx);
    throw undo;
  });
  await expect(tried).rejects.toBe(undo);
}

/** An error of a policy or of a key; the whole transaction is lost with it. */
const refused = async (sql: string, params: unknown[], error: object) => {
  await expect(db.asTenant(b).query(sql, params)).rejects.toMatchObject(error);
};
const HOLDS = [
  "evidence_files_stored",
  "evidence_files_revision",
  "evidence_revisions_evidence",
  "legal_holds_evidence",
];
const BY_POLICY = { code: "42501", message: expect.stringContaining("row-level security") };

/** The columns of a row that can be written, and their values, for `jsonb_populate_record`. */
async function copying(table: string): Promise<string> {
  const columns = await database.owner.query<{ name: string }>(
    `SELECT quote_ident(attname) AS name FROM pg_attribute
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`,
    [table],
  );
  const names = columns.map(({ name }) => name).join(", ");
  return `INSERT INTO ${table} (${names}) OVERRIDING SYSTEM VALUE
    SELECT ${names} FROM jsonb_populate_record(NULL::${table}, $1::jsonb)`;
}

describe("with every right on the tables", () => {
  beforeAll(async () => {
    await database.owner.query(`GRANT ALL ON ALL TABLES IN SCHEMA public TO ${TENANT_ROLE}`);
  });

  test("every table is tried", () => {
    expect(tables.length).toBeGreaterThan(30);
    expect([...rowsOf.keys()].sort()).toEqual(tables.map(({ name }) => name).sort());
  });

  test("sees its own rows and no other's, in every table", async () => {
    for (const { name, workspace } of tables) {
      const own = db.asTenant(b);
      const seen = {
        name,
        own: (await count(own, name, `${workspace} = '${b}'`)) ?? 0,
        others: await count(own, name, `${workspace} <> '${b}'`),
      };
      expect(seen).toEqual({ name, own: expect.any(Number), others: 0 });
      expect(seen.own).toBeGreaterThan(0);
      expect(await count(db, name, `${workspace} = '${a}'`)).toBeGreaterThan(0);
    }
  });

  test("changes and deletes none of another's", async () => {
    for (const { name, workspace } of tables) {
      if (APPEND_ONLY.includes(name)) {
        const append = { message: expect.stringContaining("append-only") };
        await refused(`DELETE FROM ${name}`, [], append);
        await refused(`UPDATE ${name} SET workspace_id = workspace_id`, [], append);
        continue;
      }
      await asB(async (on) => {
        const set = `${workspace} = ${workspace}`;
        const changed = await on.query(`UPDATE ${name} SET ${set} RETURNING ${workspace} AS of`);
        expect({ name, changed: new Set(changed.map((row) => row.of)) }).toEqual({
          name,
          changed: new Set([b]),
        });
        const of = `WHERE ${workspace} = '${a}' RETURNING 1`;
        expect(await on.query(`UPDATE ${name} SET ${set} ${of}`)).toEqual([]);
        expect(await on.query(`DELETE FROM ${name} ${of}`)).toEqual([]);
      });
    }
  });

  test("writes no row for another, neither a new one nor one of its own that moves", async () => {
    for (const { name, workspace } of tables) {
      const row = { ...rowsOf.get(name)?.a };
      await refused(await copying(name), [JSON.stringify(row)], BY_POLICY);
      if (APPEND_ONLY.includes(name)) continue;
      await refused(`UPDATE ${name} SET ${workspace} = $1`, [a], BY_POLICY);
    }
  });

  test("has no row that points at another's", async () => {
    const keys = await foreignKeys(database.owner);
    for (const { name: key, child, parent, child_columns, parent_columns } of keys) {
      if (APPEND_ONLY.includes(child)) continue;
      const target = rowsOf.get(parent)?.a ?? {};
      const set = child_columns
        .map((column, n) => [column, target[parent_columns[n] ?? ""]] as const)
        .filter(([column]) => column !== "workspace_id");
      if (set.length === 0) continue;
      const sql = `UPDATE ${child} SET ${set.map(([column], n) => `${column} = $${n + 1}`).join(", ")}`;
      const values = set.map(([, value]) => value);
      const tried = await db.asTenant(b).query(sql, values).catch(sqlState);
      // What is held is exchanged for nothing, whoever has it, nor moved anywhere.
      const refusal = HOLDS.includes(key) ? "HG001" : "23503";
      expect({ key, tried }).toEqual({ key, tried: refusal });
    }
  });

  test("whoever names no workspace sees nothing, before and after another has named one", async () => {
    const fresh = openDatabase({ url: database.url, max: 1 });
    const nothing = () =>
      fresh.transaction(async (tx) => {
        await tx.query(`SET LOCAL ROLE ${TENANT_ROLE}`);
        for (const { name } of tables) {
          expect({ name, seen: await count(tx, name) }).toEqual({ name, seen: 0 });
        }
        const [left] = await tx.query<{ value: string | null }>(
          "SELECT current_setting('app.workspace_id', true) AS value",
        );
        return left?.value;
      });
    expect(await nothing()).toBeNull();
    expect(await count(fresh.asTenant(a), "connectors")).toBe(1);
    expect(await nothing()).toBe("");
    await fresh.close();
  });
});

describe("what the tenant role may do at all", () => {
  let own: TestDatabase;
  beforeAll(async () => {
    own = await createTestDatabase();
  });
  afterAll(() => own.drop());

  test.each([
    ["look at a bot's token", "SELECT token_sealed FROM connectors"],
    ["look at a webhook's secret", "SELECT secret_hash FROM connectors"],
    ["connect a bot", "INSERT INTO connectors (workspace_id) VALUES (NULL)"],
    ["look at a job", "SELECT FROM jobs"],
    ["take a lane", "UPDATE lanes SET owner = NULL"],
    ["look at a job's body", "SELECT FROM job_bodies"],
    ["look at the keys of jobs", "SELECT FROM job_keys"],
    ["use up a key of a job", "INSERT INTO job_keys VALUES ('ingest', 'k')"],
    ["draw a job's id", "SELECT nextval('job_ids')"],
    ["stop a queue", "INSERT INTO paused_queues VALUES ('ingest')"],
    ["change the audit log", "UPDATE audit_entries SET action = action"],
    ["keep entries from the audit log", "DELETE FROM audit_unsealed"],
    ["write the head of an audit log", "UPDATE audit_heads SET head_sealed = NULL"],
    ["make a workspace", "INSERT INTO workspaces (name) VALUES ('mine')"],
    ["delete keys", "DELETE FROM api_keys"],
    ["change what a broadcast says", "UPDATE broadcasts SET message = '{}'"],
    ["say that a recipient got it", "UPDATE broadcast_recipients SET message_id = NULL"],
    ["change what was sent", "UPDATE outbound_messages SET text = 'x'"],
    ["approve by hand", "UPDATE outbound_messages SET approved = true"],
    ["change what an approver said", "UPDATE approval_decisions SET verdict = 'approved'"],
    ["look at approvers' buttons", "SELECT FROM approval_buttons"],
    ["change what a template said", "UPDATE template_versions SET body = 'x'"],
    ["change how a risk was accepted", "UPDATE risk_acceptances SET reason = 'x'"],
    ["look at processes", "SELECT FROM processes"],
    ["look at who fails", "SELECT FROM failure_counts"],
    ["look at what is migrated", "SELECT FROM schema_migrations"],
    ["make a table", "CREATE TABLE mine (n int)"],
    ["empty a table", "TRUNCATE messages"],
  ])("it may not %s", async (_what, sql) => {
    await expect(own.db.asTenant(b).query(sql)).rejects.toMatchObject({ code: "42501" });
  });

  test("nor may the engine change the audit log, the schema, or what is migrated", async () => {
    for (const sql of [
      "DELETE FROM audit_entries",
      "UPDATE audit_seals SET number = number",
      "TRUNCATE jobs",
      "ALTER TABLE jobs DISABLE TRIGGER USER",
      "ALTER TABLE connectors DISABLE ROW LEVEL SECURITY",
      "DROP POLICY tenant ON messages",
      "DELETE FROM schema_migrations",
      `GRANT ${ENGINE_ROLE} TO ${TENANT_ROLE}`,
    ]) {
      await expect(own.db.query(sql)).rejects.toMatchObject({ code: "42501" });
    }
  });
});
