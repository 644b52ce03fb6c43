import { afterEach, describe, expect, test } from "@jest/globals";
import { createEmptyDatabase, type TestDatabase } from "../../test/support/database.ts";
import { migrate } from "./migrate.ts";
import type { Migration } from "./migration.ts";

/** Creates a table; running it twice fails, as most migrations would. */
function creating(name: string): Migration {
  return {
    name,
    up: async (knex) => {
      await knex.raw(`CREATE TABLE t_${name} (id int)`);
      await knex.raw("SELECT pg_sleep(0.05)"); // room for a rival to come in between
    },
  };
}

const first = creating("0001_first");
const second = creating("0002_second");

describe("migrate", () => {
  let database: TestDatabase;
  const open: TestDatabase[] = [];
  const fresh = async () => {
    database = await createEmptyDatabase();
    open.push(database);
    return database;
  };
  afterEach(async () => {
    for (const each of open.splice(0)) await each.drop();
  });

  const tables = async () =>
    (
      await database.db.query<{ name: string }>(
        "SELECT tablename AS name FROM pg_tables WHERE tablename LIKE 't\\_%' ORDER BY 1",
      )
    ).map((row) => row.name);

  test("applies what is missing, in order, and nothing the second time", async () => {
    const { url } = await fresh();
    expect(await migrate(url, [first])).toEqual(["0001_first"]);
    expect(await migrate(url, [first, second])).toEqual(["0002_second"]);
    expect(await migrate(url, [first, second])).toEqual([]);
    expect(await tables()).toEqual(["t_0001_first", "t_0002_second"]);
  });

  test("of deployers that start together one applies, the others wait and find it done", async () => {
    const { url } = await fresh();
    const applied = await Promise.all(
      Array.from({ length: 8 }, () => migrate(url, [first, second])),
    );
    expect(applied.flat().sort()).toEqual(["0001_first", "0002_second"]);
  });

  test("a migration that fails leaves nothing of its release behind, and a later run succeeds", async () => {
    const { url } = await fresh();
    const broken: Migration = {
      name: "0002_second",
      up: async (knex) => {
        await knex.raw("CREATE TABLE t_half (id int)");
        await knex.raw("SELECT 1 / 0");
      },
    };
    await expect(migrate(url, [first, broken])).rejects.toThrow(/division by zero/);
    expect(await tables()).toEqual([]);
    expect(await migrate(url, [first, second])).toEqual(["0001_first", "0002_second"]);
  });

  test("a deployer that died in the middle blocks nobody", async () => {
    const { url, db } = await fresh();
    await migrate(url, [first]);
    // What knex leaves behind when its process is killed while it migrates.
    await db.query("UPDATE schema_migrations_lock SET is_locked = 1");
    expect(await migrate(url, [first, second])).toEqual(["0002_second"]);
  });

  test("waits for another deployer only as long as it is told", async () => {
    const { url, db } = await fresh();
    const held = await db.connect();
    await held.query("SELECT pg_advisory_lock($1::bigint)", [0x68656c696fn.toString()]);
    await expect(migrate(url, [first], { lockTimeoutMs: 50 })).rejects.toThrow(/lock timeout/);
    await held.end();
  });

  test("a database of a newer release is refused", async () => {
    const { url } = await fresh();
    await migrate(url, [first, second]);
    await expect(migrate(url, [first])).rejects.toThrow(/0002_second/);
  });
});
