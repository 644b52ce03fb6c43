import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import pg from "pg";
import { migrations } from "../../migrations/index.ts";
import { ENGINE_ROLE } from "../../src/platform/database-roles.ts";
import { migrate } from "../../src/platform/migrate.ts";
import { projectRoot } from "../../src/platform/project-root.ts";
import { compileProject } from "./compiled.ts";
import { adminQuery, withDatabase } from "./database.ts";
import { findRedisServer } from "./executable.ts";
import { startPostgres } from "./postgres.ts";
import { startRedis } from "./redis.ts";
import {
  ADMIN_URL,
  COMPILED,
  RUN_FOLDER,
  RUN_NAME,
  RUN_REDIS,
  RUN_REDIS_DATABASES,
  SKIPS_FILE,
  TEMPLATE,
} from "./run-environment.ts";
import { atTeardown, undoEverything } from "./teardown-list.ts";

/**
 * Makes what a run of the tests stands on: a Postgres (HELIOGRAPH_TEST_POSTGRES, a superuser's
 * connection string, or one of its own) with a freshly migrated template database, and a Redis if
 * there is one. Several runs may share one Postgres: names begin with this process's id.
 */
export default async function setUp(): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), "heliograph-test-"));
  process.env[RUN_FOLDER] = folder;
  process.env[SKIPS_FILE] ??= path.join(folder, "skips.jsonl");
  await writeFile(process.env[SKIPS_FILE], "", { flag: "a" });

  // jest runs no teardown after a setup that failed, and what it started would stay behind.
  const results = await Promise.allSettled([setUpPostgres(), setUpRedis(), setUpScripts()]);
  for (const result of results) {
    if (result.status === "rejected") {
      await undoEverything().catch(() => {});
      await rm(folder, { recursive: true, force: true });
      throw result.reason;
    }
  }
}

async function setUpPostgres(): Promise<void> {
  let adminUrl = process.env.HELIOGRAPH_TEST_POSTGRES;
  if (adminUrl === undefined) {
    const cluster = await startPostgres({ settings: { max_connections: "300" } });
    atTeardown(() => cluster.destroy());
    adminUrl = cluster.url;
  }
  const run = `hg_${process.pid}_${Date.now().toString(36)}`;
  const template = `${run}_template`;
  process.env[ADMIN_URL] = adminUrl;
  process.env[RUN_NAME] = run;
  process.env[TEMPLATE] = template;

  atTeardown(() => dropDatabasesOf(adminUrl, run));
  await adminQuery(adminUrl, `CREATE DATABASE "${template}" TEMPLATE template0`);
  const templateUrl = withDatabase(adminUrl, template);
  await migrate(templateUrl, migrations);
  // What tests make later, for what they test to write to; not what the migrations made.
  await adminQuery(
    templateUrl,
    `ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO ${ENGINE_ROLE};
     ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO ${ENGINE_ROLE};
     ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO ${ENGINE_ROLE}`,
  );
}

async function dropDatabasesOf(adminUrl: string, run: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    const { rows } = await client.query<{ datname: string }>(
      "SELECT datname FROM pg_database WHERE starts_with(datname, $1)",
      [`${run}_`],
    );
    for (const { datname } of rows) {
      await client.query(`DROP DATABASE IF EXISTS "${datname}" WITH (FORCE)`);
    }
  } finally {
    await client.end();
  }
}

async function setUpScripts(): Promise<void> {
  process.env[COMPILED] = await compileProject(projectRoot);
}

async function setUpRedis(): Promise<void> {
  const given = process.env.HELIOGRAPH_TEST_REDIS ?? process.env.REDIS_URL;
  if (given !== undefined && given !== "") {
    process.env[RUN_REDIS] = given;
  } else if (findRedisServer() !== undefined) {
    const databases = 1024;
    const redis = await startRedis({ databases });
    atTeardown(() => redis.stop());
    process.env[RUN_REDIS] = redis.url;
    process.env[RUN_REDIS_DATABASES] = String(databases);
  }
}
