import pg from "pg";
import type { Migration } from "./migration.ts";

/**
 * Applies migrations in the order given, all that are missing in one transaction: a release is in
 * the database whole or not at all.
 *
 * knex keeps the list of what ran and refuses a database that knows more than the code does; the
 * order of deployers is ours: knex's own lock is a row, and a deployer that died leaves it locked
 * for ever. A Postgres advisory lock dies with its session, so under it the row is set free first.
 */

/** Any number that nobody else uses for an advisory lock in this database ("helio" in ASCII). */
const MIGRATION_LOCK = 0x68656c696fn.toString();

export interface MigrateOptions {
  /** How long to wait for another deployer that is migrating. Default 10 minutes. */
  lockTimeoutMs?: number;
}

/**
 * Brings the database at `url` to the last of `migrations`; a database that is there already is
 * left untouched. Gives the names that this call applied.
 *
 * @throws when the database holds migrations that `migrations` lacks (an older release), when a
 * migration fails (everything this call did is rolled back), or when the lock is not had in time
 */
export async function migrate(
  url: string,
  migrations: readonly Migration[],
  { lockTimeoutMs = 600_000 }: MigrateOptions = {},
): Promise<string[]> {
  assertDistinctNames(migrations);
  const guard = new pg.Client({
    connectionString: url,
    application_name: "heliograph-migrate-lock",
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  });
  // Losing this session means losing the lock; the migrations' own session is about to fail too.
  guard.on("error", () => {});
  await guard.connect();
  try {
    await guard.query("SELECT set_config('lock_timeout', $1, false)", [String(lockTimeoutMs)]);
    await guard.query("SELECT pg_advisory_lock($1::bigint)", [MIGRATION_LOCK]);
    return await applyPending(url, migrations);
  } finally {
    await guard.end();
  }
}

async function applyPending(url: string, migrations: readonly Migration[]): Promise<string[]> {
  // Loaded here: it takes a sixth of a second, and most processes migrate nothing.
  const { default: knex } = await import("knex");
  const client = knex({
    client: "pg",
    connection: { connectionString: url, application_name: "heliograph-migrate" },
    pool: { min: 0, max: 2 },
    migrations: {
      tableName: "schema_migrations",
      migrationSource: {
        getMigrations: async () => [...migrations],
        getMigrationName: (migration: Migration) => migration.name,
        getMigration: async (migration: Migration) => ({
          up: migration.up,
          // knex insists on one; a change is a new file, so nothing ever goes back.
          down: async () => {
            throw new Error(`${migration.name} cannot be undone: write a new migration`);
          },
        }),
      },
    },
    log: { warn() {}, error() {}, debug() {}, deprecate() {} },
  });
  try {
    await client.migrate.forceFreeMigrationsLock();
    const [, applied] = (await client.migrate.latest()) as [number, string[]];
    return applied;
  } finally {
    await client.destroy();
  }
}

function assertDistinctNames(migrations: readonly Migration[]): void {
  const names = new Set<string>();
  for (const { name } of migrations) {
    if (names.has(name)) throw new Error(`Two migrations are called ${name}`);
    names.add(name);
  }
}
