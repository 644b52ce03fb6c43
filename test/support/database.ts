import { randomBytes } from "node:crypto";
import pg from "pg";
import {
  type Database,
  type DatabaseOptions,
  openDatabase,
  sqlState,
} from "../../src/platform/database.ts";
import { ADMIN_URL, fromSetup, RUN_NAME, TEMPLATE } from "./run-environment.ts";

export interface TestDatabase {
  /** Connection string of the new database, as superuser. */
  url: string;
  /** A pool on it, closed by `drop`: as a process of an installation has it, so as the engine. */
  db: Database;
  /**
   * As the superuser, for what a test does beside the code under test: changes of the schema, looks at
   * the server. Tables that are made so are the engine's to work with, in a migrated database.
   */
  owner: Database;
  /** Closes the pool, cuts what others still hold open, and removes the database. */
  drop(): Promise<void>;
}

/** `url` with another database name. */
export function withDatabase(url: string, name: string): string {
  const parsed = new URL(url);
  parsed.pathname = `/${name}`;
  return parsed.toString();
}

/** Runs one statement on a connection of its own. */
export async function adminQuery(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on("error", () => {});
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** A fresh, migrated database of this test file alone, cloned from the run's template. */
export async function createTestDatabase({ max }: { max?: number } = {}): Promise<TestDatabase> {
  return cloneDatabase(fromSetup(TEMPLATE), { max });
}

/** A fresh database without any schema, for tests of the migrations themselves: `db` is the superuser. */
export async function createEmptyDatabase({ max }: { max?: number } = {}): Promise<TestDatabase> {
  return cloneDatabase("template0", { max, as: "login" });
}

async function cloneDatabase(
  template: string,
  options: Pick<DatabaseOptions, "max" | "as">,
): Promise<TestDatabase> {
  const adminUrl = fromSetup(ADMIN_URL);
  const name = `${fromSetup(RUN_NAME)}_${randomBytes(6).toString("hex")}`;
  for (let attempt = 1; ; attempt++) {
    try {
      await adminQuery(adminUrl, `CREATE DATABASE "${name}" TEMPLATE "${template}"`);
      break;
    } catch (error) {
      // 55006: autovacuum is inside the template at this moment
      if (sqlState(error) !== "55006" || attempt === 5) throw error;
    }
  }
  const url = withDatabase(adminUrl, name);
  const db = openDatabase({ url, ...options, applicationName: "heliograph-test" });
  const owner = openDatabase({
    url,
    max: 2,
    as: "login",
    applicationName: "heliograph-test owner",
  });
  let dropped: Promise<void> | undefined;
  return {
    url,
    db,
    owner,
    drop: () => {
      dropped ??= Promise.all([db.close(), owner.close()]).then(() =>
        adminQuery(adminUrl, `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`),
      );
      return dropped;
    },
  };
}
