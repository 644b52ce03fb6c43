import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { type Database, openDatabase, type Queryable } from "./database.ts";
import { ENGINE_ROLE, TENANT_ROLE } from "./database-roles.ts";

/** One connection, so that what one use leaves behind is what the next one finds. */
let database: TestDatabase;
let db: Database;
const a = randomUUID();
const b = randomUUID();

beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase({ url: database.url, max: 1 });
  for (const [id, chats] of [
    [a, 3],
    [b, 1],
  ] as const) {
    await db.query("INSERT INTO workspaces (id, name) VALUES ($1, 'a workspace')", [id]);
    await db.query(
      `INSERT INTO contacts (workspace_id, telegram_user_id, first_name, is_bot, updated_at)
       SELECT $1, n, 'Ada', false, now() FROM generate_series(1, $2::int) n`,
      [id, chats],
    );
  }
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const WHO = `/* test.who */
SELECT current_user AS role, current_setting('app.workspace_id', true) AS workspace,
  pg_backend_pid() AS pid`;
const who = async (on: Queryable) => {
  const [row] = await on.query<{ role: string; workspace: string | null; pid: number }>(WHO);
  return { role: row?.role, workspace: row?.workspace };
};
/** The role's plan is another than the engine's: the text is the same, and prepared. */
const COUNT = `/* test.count-contacts */
SELECT count(*)::int AS n FROM contacts WHERE telegram_user_id > $1`;
const contacts = async (on: Queryable) =>
  (await on.query<{ n: number }>(COUNT, [0])).map(({ n }) => n)[0];

/** What the connection is when nobody uses it. */
const nothingIsLeft = async () => {
  const { role, workspace } = await who(db);
  expect(role).toBe(ENGINE_ROLE);
  expect(workspace ?? "").toBe("");
  expect(await contacts(db)).toBe(4);
};

describe("work for a workspace", () => {
  beforeEach(nothingIsLeft);

  test("a statement, and a transaction, run as the tenant and name their workspace", async () => {
    const expected = { role: TENANT_ROLE, workspace: a };
    expect(await who(db.asTenant(a))).toEqual(expected);
    await db.asTenant(a).transaction(async (tx) => {
      expect(await who(tx)).toEqual(expected);
      expect(await who(tx)).toEqual(expected);
    });
    await nothingIsLeft();
  });

  test("one prepared statement on one connection shows each caller its own, in any order", async () => {
    const seen: unknown[] = [];
    for (let round = 0; round < 7; round++) {
      seen.push([
        await contacts(db),
        await contacts(db.asTenant(a)),
        await contacts(db.asTenant(b)),
        await contacts(db.asTenant(randomUUID())),
        await contacts(db),
      ]);
    }
    expect(seen).toEqual(Array.from({ length: 7 }, () => [4, 3, 1, 0, 4]));
    const [prepared] = await db.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM pg_prepared_statements WHERE statement = $1",
      [COUNT],
    );
    expect(prepared?.n).toBe(1);
  });

  test.each<[string, (on: Queryable) => Promise<unknown>]>([
    ["the work throws", () => Promise.reject(new Error("no"))],
    ["a statement fails", (on) => on.query("SELECT 1 / 0")],
    ["it may not do what it wants", (on) => on.query("SELECT FROM job_keys")],
    ["it writes another's row", (on) => addKey(on, b)],
  ])("nothing is left when %s", async (_what, work) => {
    await expect(db.asTenant(a).transaction(work)).rejects.toThrow();
    await expect(db.asTenant(a).query("SELECT 1 / 0")).rejects.toThrow("division");
    await nothingIsLeft();
  });

  test("its own rows are written, and no other's", async () => {
    await expect(addKey(db.asTenant(a), b)).rejects.toThrow("row-level security");
    await addKey(db.asTenant(a), a);
    const told: string[] = [];
    await db.asTenant(a).transaction(async (tx) => {
      tx.afterCommit(() => told.push("committed"));
      await tx.query("UPDATE contacts SET last_name = 'of a'");
      expect(told).toEqual([]);
    });
    expect(told).toEqual(["committed"]);
    const rows = await db.query("SELECT DISTINCT workspace_id, last_name FROM contacts");
    expect(new Set(rows)).toEqual(
      new Set([
        { workspace_id: a, last_name: "of a" },
        { workspace_id: b, last_name: null },
      ]),
    );
  });

  test("is tried again as the tenant when it fails for others' sake", async () => {
    const tries: unknown[] = [];
    await db.asTenant(b).transaction(async (tx) => {
      tries.push(await who(tx));
      if (tries.length < 3) await tx.query("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$");
    });
    expect(tries).toEqual(Array.from({ length: 3 }, () => ({ role: TENANT_ROLE, workspace: b })));
  });

  test("keeps the limit it was given for locks", async () => {
    await db.asTenant(b).transaction(
      async (tx) => {
        const [row] = await tx.query("SELECT current_setting('lock_timeout') AS limit");
        expect(row).toEqual({ limit: "77ms" });
      },
      { lockTimeoutMs: 77 },
    );
  });

  test.each(["", "x", `${a}'; RESET ROLE; --`, `${a}\n`, "00000000-0000-0000-0000-00000000000g"])(
    "%j names no workspace",
    (id) => {
      expect(() => db.asTenant(id)).toThrow("is a UUID");
    },
  );
});

describe("the engine's part of a workspace's transaction", () => {
  test("goes to the engine and comes back, statement by statement, in one transaction", async () => {
    await db.asTenant(a).transaction(async (tx) => {
      expect(await contacts(tx)).toBe(3);
      expect(await contacts(tx.engine)).toBe(4);
      expect(await who(tx.engine)).toEqual({ role: ENGINE_ROLE, workspace: a });
      expect(await contacts(tx)).toBe(3);
    });
    await nothingIsLeft();
  });

  test("statements that are asked for at once keep each their role", async () => {
    await db.asTenant(a).transaction(async (tx) => {
      const asked = Array.from({ length: 12 }, (_, n) => contacts(n % 3 === 0 ? tx.engine : tx));
      const expected = Array.from({ length: 12 }, (_, n) => (n % 3 === 0 ? 4 : 3));
      expect(await Promise.all(asked)).toEqual(expected);
    });
  });

  test("what was asked for beside a statement that failed is not done later, outside of it", async () => {
    const ends: unknown[] = [];
    const noted = (rows: Promise<unknown>) =>
      rows.then(
        () => ends.push("done"),
        (error: Error) => ends.push(error.message),
      );
    const rename = "UPDATE workspaces SET name = 'of whom?'";
    let all: Promise<unknown> | undefined;
    const work = db.asTenant(a).transaction(async (tx) => {
      const asked = [tx.query("SELECT 1 / 0"), tx.query("SELECT 1"), tx.engine.query("SELECT 1")];
      all = Promise.all([...asked, tx.query(rename), tx.engine.query(rename)].map(noted));
      await Promise.all(asked);
    });
    await expect(work).rejects.toThrow("division by zero");
    await all;
    expect(ends).toHaveLength(5);
    expect(ends).not.toContain("done");
    expect(await db.query("SELECT FROM workspaces WHERE name = 'of whom?'")).toEqual([]);
    await nothingIsLeft();
  });

  test("rolls back with the rest, and a failure of either ends both", async () => {
    const work = db.asTenant(a).transaction(async (tx) => {
      await tx.engine.query("INSERT INTO job_keys (queue, key) VALUES ('ingest', 'k')");
      await tx.query("SELECT FROM job_keys");
    });
    await expect(work).rejects.toMatchObject({ code: "42501" });
    expect(await db.query("SELECT FROM job_keys")).toEqual([]);
    await nothingIsLeft();
  });

  test("in the engine's own transaction it is nothing else than the transaction", async () => {
    await db.transaction(async (tx) => {
      expect(await who(tx)).toMatchObject({ role: ENGINE_ROLE });
      expect(await who(tx.engine)).toMatchObject({ role: ENGINE_ROLE });
    });
  });
});

test.each(["a workspace's", "the engine's"])(
  "%s transaction that goes on after a statement failed says that it was not committed",
  async (whose) => {
    const on = whose === "the engine's" ? db : db.asTenant(a);
    const told: string[] = [];
    const work = on.transaction(async (tx) => {
      tx.afterCommit(() => told.push("committed"));
      await tx.query("UPDATE contacts SET last_name = 'lost'");
      await tx.query("SELECT 1 / 0").catch(() => {});
    });
    await expect(work).rejects.toThrow("unnoticed");
    expect(told).toEqual([]);
    await nothingIsLeft();
  },
);

test("a statement asked of a transaction that is over is refused", async () => {
  for (const on of [db, db.asTenant(a)]) {
    const kept = await on.transaction(async (tx) => tx);
    await expect(kept.query("SELECT 1")).rejects.toThrow("is over");
    await expect(kept.engine.query("SELECT 1")).rejects.toThrow("is over");
  }
});

test("options of the connection string are kept, and neither role nor planner is lost to them", async () => {
  const url = new URL(database.url);
  url.searchParams.set("options", "-c work_mem=7MB -c role=none");
  const own = openDatabase({ url: url.toString(), max: 1 });
  const [row] = await own.query(
    `SELECT current_user AS role, current_setting('work_mem') AS work_mem,
       current_setting('enable_seqscan') AS seqscan, current_setting('jit') AS jit`,
  );
  expect(row).toEqual({ role: ENGINE_ROLE, work_mem: "7MB", seqscan: "off", jit: "off" });
  const client = await own.connect();
  expect((await client.query("SELECT current_user AS role")).rows).toEqual([{ role: ENGINE_ROLE }]);
  await client.end();
  await own.close();
});

const addKey = (on: Queryable, workspaceId: string) =>
  on.query(
    "INSERT INTO idempotency_keys (workspace_id, key, call, body_hash) VALUES ($1, 'k', 'c', sha256(''))",
    [workspaceId],
  );
