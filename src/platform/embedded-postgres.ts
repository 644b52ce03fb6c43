import { randomBytes } from "node:crypto";
import { chmod, mkdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import pg from "pg";
import { sqlState } from "./database.ts";
import type { Logger } from "./log.ts";
import { clearOrphan } from "./orphan-postgres.ts";
import { createCluster, readClusterPassword } from "./postgres-initdb.ts";
import { launchCluster } from "./postgres-server.ts";
import { clusterUrl, findClusterTools } from "./postgres-tools.ts";

/**
 * The Postgres that Heliograph brings along: one cluster in a folder, durable, reachable from this
 * machine alone, started and stopped with the process. It makes good what crashes left: an
 * interrupted first start, a server without a master, a pid file of a process that is somebody
 * else by now. Its port is chosen anew at each start, so one that is taken stops nobody.
 */
export interface EmbeddedPostgres {
  /** Connection string of the superuser, on database `heliograph`. */
  url: string;
  pid: number;
  /** Resolves when Postgres has ended, asked to or not. */
  exited: Promise<void>;
  /** Ends sessions and writes everything down; takes a fraction of a second as a rule. */
  stop(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** The folder that holds everything of this installation; must exist, and its lock be held. */
  dataFolder: string;
  log: Logger;
  /** Most time for the first start (initdb) and, apart from it, for each start. Default 60 000. */
  timeoutMs?: number;
}

const DATABASE = "heliograph";
const LOG_LIMIT_BYTES = 5_000_000;

const SETTINGS = {
  // All processes of one installation, with a pool each.
  max_connections: "200",
  // Statements and rows hold messages and names: the log says what happened, not to whom.
  log_error_verbosity: "terse",
  log_min_error_statement: "panic",
};

/** @throws with the end of Postgres's own log when it does not start */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const { dataFolder, log, timeoutMs = 60_000 } = options;
  const root = path.resolve(dataFolder);
  const cluster = path.join(root, "postgres");
  const logFile = path.join(root, "postgres.log");
  await mkdir(root, { recursive: true });
  if (process.getuid?.() === 0) {
    // Postgres is another user then, and must get through to its own folder. Files stay shut.
    await chmod(root, (await stat(root)).mode | 0o001);
  }

  await setAsideWhatIsNoCluster(cluster, log);
  const tools = await findClusterTools(root, cluster);
  if (!(await exists(cluster))) {
    log.info({ folder: cluster }, "making the embedded Postgres: first start in this folder");
    const password = randomBytes(24).toString("base64url");
    await createCluster(tools, { dataFolder: cluster, password, durable: true, timeoutMs });
  }
  const orphan = await clearOrphan(cluster);
  if (orphan !== "none") {
    log.warn({ folder: cluster, orphan }, "cleaned up after an embedded Postgres without a master");
  }
  await keepLogSmall(logFile);
  const password = await readClusterPassword(cluster);
  const running = await launchCluster(tools, {
    dataFolder: cluster,
    logFile,
    password,
    settings: SETTINGS,
    timeoutMs,
  });
  try {
    await ensureDatabase(clusterUrl(running.port, password, "postgres"));
  } catch (error) {
    await running.stop();
    throw error;
  }
  log.info({ port: running.port, postgresPid: running.pid }, "embedded Postgres is up");
  return {
    url: clusterUrl(running.port, password, DATABASE),
    pid: running.pid,
    exited: running.exited,
    stop: () => running.stop("fast"),
  };
}

/**
 * A folder of that name that is no cluster was not made by `createCluster`, which renames complete
 * ones into place. It may still be somebody's: it is moved, not removed.
 */
async function setAsideWhatIsNoCluster(cluster: string, log: Logger): Promise<void> {
  if (!(await exists(cluster))) return;
  const needed = ["PG_VERSION", "global/pg_control", "heliograph-password"];
  const found = await Promise.all(needed.map((name) => exists(path.join(cluster, name))));
  if (found.every(Boolean)) return;
  if (found[1] === true) {
    const missing = needed.filter((_, index) => found[index] === false).join(", ");
    throw new Error(`The data in ${cluster} is there, but ${missing} is not: restore it`);
  }
  const aside = `${cluster}.set-aside-${Date.now()}`;
  await rename(cluster, aside);
  log.warn({ aside }, "set aside a folder that holds no complete Postgres");
}

async function ensureDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on("error", () => {});
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${DATABASE}`);
  } catch (error) {
    if (sqlState(error) !== "42P04") throw error; // it exists
  } finally {
    await client.end();
  }
}

/** Two files at most, this start's and the one before. */
async function keepLogSmall(logFile: string): Promise<void> {
  const size = await stat(logFile).then(
    (found) => found.size,
    () => 0,
  );
  if (size < LOG_LIMIT_BYTES) return;
  await rm(`${logFile}.old`, { force: true });
  await rename(logFile, `${logFile}.old`);
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
