import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { tenantTable } from "../migrations/tenant-table.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { tenancyFaults } from "./support/tenancy-catalogue.ts";

/** The schema is walked: what somebody adds later and does not keep apart is named here. */
let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test("every table, key, view and function keeps workspaces apart, or is on a list with the reason", async () => {
  expect(await tenancyFaults(database.owner)).toEqual([]);
});

const COLUMNS = "workspace_id uuid NOT NULL, id bigint NOT NULL, connector_id uuid";

test.each<[string, string, unknown[]]>([
  [
    "a table that nobody thought about",
    "CREATE TABLE t (id bigint PRIMARY KEY)",
    [
      "t has no workspace_id",
      "t has no forced row-level security",
      "t has other policies: ",
      "the key of t does not begin with workspace_id",
    ],
  ],
  [
    "a table without policies",
    `CREATE TABLE t (${COLUMNS}, PRIMARY KEY (workspace_id, id));
     ALTER TABLE t ENABLE ROW LEVEL SECURITY`,
    ["t has no forced row-level security", "t has other policies: "],
  ],
  [
    "a key that begins elsewhere",
    `CREATE TABLE t (${COLUMNS}, PRIMARY KEY (id)); ${tenantTable("t")}`,
    ["the key of t does not begin with workspace_id"],
  ],
  [
    "a plain foreign key",
    `CREATE TABLE t (${COLUMNS}, PRIMARY KEY (workspace_id, id),
       CONSTRAINT plain FOREIGN KEY (connector_id) REFERENCES connectors (id)); ${tenantTable("t")}`,
    ["plain of t may point into another workspace's connectors"],
  ],
  [
    "one more policy",
    `CREATE TABLE t (${COLUMNS}, PRIMARY KEY (workspace_id, id)); ${tenantTable("t")}
     CREATE POLICY wide ON t FOR SELECT USING (true)`,
    [expect.stringContaining("t has other policies: engine")],
  ],
  [
    "a view of its owner's",
    "CREATE VIEW v AS SELECT * FROM messages",
    ["view v shows with its owner's rights"],
  ],
  ["a view of who asks", "CREATE VIEW v WITH (security_invoker = true) AS SELECT 1 AS one", []],
  [
    "a function of its owner's",
    "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql SECURITY DEFINER RETURN 1",
    ["function f() works with its owner's rights"],
  ],
  [
    "a table as it should be",
    `CREATE TABLE t (${COLUMNS}, PRIMARY KEY (workspace_id, id), FOREIGN KEY (workspace_id, connector_id)
       REFERENCES connectors (workspace_id, id)); ${tenantTable("t", { tenantMay: "SELECT" })}`,
    [],
  ],
])("%s", async (_what, sql, faults) => {
  const undo = new Error("only tried");
  const tried = database.owner.transaction(async (tx) => {
    await tx.query(sql);
    expect(await tenancyFaults(tx)).toEqual(faults);
    throw undo;
  });
  await expect(tried).rejects.toBe(undo);
});
