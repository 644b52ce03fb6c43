import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { chown, mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { sqlState } from "./database.ts";
import {
  type AsAccount,
  chooseAccount,
  findWayToRun,
  type PostgresAccount,
} from "./postgres-account.ts";
import { findPostgresBinaries, type PostgresBinaries } from "./postgres-binaries.ts";

/**
 * One Postgres cluster of ours: made with initdb, run as a child process, stopped. What it is for
 * (a folder that lasts, a throw-away of a test run) is its caller's business.
 */

export const SUPERUSER = "postgres";

/** What it takes to run a cluster's programs. */
export interface ClusterTools {
  binaries: PostgresBinaries;
  account: PostgresAccount | undefined;
  as: AsAccount;
}

/** Finds the programs, and the account to run them as in `folder`, which must exist. */
export async function findClusterTools(folder: string, dataFolder: string): Promise<ClusterTools> {
  const binaries = await findPostgresBinaries();
  const account = await chooseAccount(dataFolder);
  const probe = path.join(folder, ".postgres-probe");
  await mkdir(probe, { recursive: true });
  try {
    if (account !== undefined) await chown(probe, account.uid, account.gid);
    return { binaries, account, as: await findWayToRun(account, binaries.postgres, probe) };
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
}

export interface CreateClusterOptions {
  dataFolder: string;
  password: string;
  /** False only for throw-away clusters: initdb then skips its syncs. */
  durable: boolean;
  timeoutMs: number;
}

/**
 * Runs initdb beside `dataFolder` and renames the result into place, so that `dataFolder` exists
 * complete or not at all, wherever an interruption falls.
 *
 * @throws with the end of initdb's own output when it fails or takes longer than `timeoutMs`
 */
export async function createCluster(tools: ClusterTools, options: CreateClusterOptions) {
  const { dataFolder, password, durable, timeoutMs } = options;
  const half = `${dataFolder}${HALF_MADE}`;
  const passwordFile = `${half}.password`;
  await rm(half, { recursive: true, force: true });
  await mkdir(half, { mode: 0o700 });
  await rm(passwordFile, { force: true });
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  try {
    if (tools.account !== undefined) {
      await chown(half, tools.account.uid, tools.account.gid);
      await chown(passwordFile, tools.account.uid, tools.account.gid);
    }
    await runInitdb(
      tools,
      [
        `--pgdata=${half}`,
        `--username=${SUPERUSER}`,
        `--pwfile=${passwordFile}`,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        // Postgres's own C.UTF-8: the same letters on every machine, whatever locales it has.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        ...(durable ? [] : ["--no-sync"]),
      ],
      timeoutMs,
    );
    await rename(half, dataFolder);
  } finally {
    await rm(passwordFile, { force: true });
    await rm(half, { recursive: true, force: true });
  }
}

/** What initdb's folder is called until it is complete. */
const HALF_MADE = ".half-made";

async function runInitdb(tools: ClusterTools, args: string[], timeoutMs: number): Promise<void> {
  const command = tools.as(tools.binaries.initdb, args);
  const child = spawn(command.file, command.args, {
    ...command.options,
    cwd: "/",
    env: cleanEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-8_000);
    });
  }
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    if (code !== 0) {
      const why =
        code === null ? `was ended, after at most ${timeoutMs} ms` : `exited with ${code}`;
      throw new Error(`initdb ${why}: ${lastLines(output)}`);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** `smart` waits for clients, `fast` ends their sessions, `immediate` is a crash in good order. */
export type StopMode = "fast" | "immediate";

export interface RunningCluster {
  pid: number;
  port: number;
  /** Resolves when the process has ended, however it came to that. */
  exited: Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Ends it; harder after `graceMs`, with SIGKILL at the end. Default grace 6 000. */
  stop(mode?: StopMode, graceMs?: number): Promise<void>;
}

export interface LaunchOptions {
  dataFolder: string;
  /** Postgres writes its log here, appending. */
  logFile: string;
  password: string;
  /** Default: a free one, and another one should it be taken meanwhile. */
  port?: number;
  /** `-c name=value`. */
  settings: Record<string, string>;
  /** For the whole start; time in which Postgres says that it is recovering is not counted. */
  timeoutMs: number;
}

/** At most this long for a recovery after a crash, however often Postgres says it is busy with it. */
const RECOVERY_LIMIT_MS = 600_000;
const PORT_TRIES = 5;

/**
 * Starts Postgres on the loopback interface and waits until it answers a query. It gets a session of
 * its own: Ctrl-C in a terminal goes to every process of ours, and Postgres must outlast them.
 *
 * @throws with the end of Postgres's log when it ends or does not answer in time
 */
export async function launchCluster(
  tools: ClusterTools,
  options: LaunchOptions,
): Promise<RunningCluster> {
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freeLoopbackPort());
    const sizeBefore = await logSize(options.logFile);
    const cluster = spawnCluster(tools, options, port);
    try {
      await untilItAnswers(cluster, options, port);
      return cluster;
    } catch (error) {
      await cluster.stop("immediate", 2_000);
      const said = await readLog(options.logFile, sizeBefore);
      const taken = /could not bind|Address already in use/.test(said);
      const crashed = /pre-existing shared memory block/.test(said);
      if (attempt < PORT_TRIES && ((taken && options.port === undefined) || crashed)) {
        // The children of a killed Postgres need a moment to notice and go.
        if (crashed) await delay(1_000);
        continue;
      }
      throw new Error(
        `Postgres did not start: ${lastLines(said) || (error as Error).message} (its log: ${options.logFile})`,
      );
    }
  }
}

function spawnCluster(tools: ClusterTools, options: LaunchOptions, port: number): RunningCluster {
  const settings = {
    listen_addresses: "127.0.0.1",
    // No socket file: its path may be too long for the system, and nobody needs it.
    unix_socket_directories: "",
    timezone: "UTC",
    log_timezone: "UTC",
    ...options.settings,
  };
  const command = tools.as(tools.binaries.postgres, [
    "-D",
    options.dataFolder,
    "-p",
    String(port),
    ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ]);
  // Opened by us, so that the log may lie where the account could not write.
  const log = openSync(options.logFile, "a", 0o600);
  let child: ChildProcess;
  try {
    child = spawn(command.file, command.args, {
      ...command.options,
      cwd: "/",
      env: cleanEnvironment(),
      detached: true,
      stdio: ["ignore", log, log],
    });
  } finally {
    closeSync(log);
  }
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  // Alone it must not keep our process alive.
  child.unref();
  const signal = (name: NodeJS.Signals) => void child.kill(name);
  return {
    pid: child.pid ?? 0,
    port,
    exited,
    signal,
    stop: async (mode = "fast", graceMs = 6_000) => {
      child.ref();
      const steps: NodeJS.Signals[] =
        mode === "fast" ? ["SIGINT", "SIGQUIT", "SIGKILL"] : ["SIGQUIT", "SIGKILL"];
      for (const step of steps) {
        signal(step);
        if (await endedWithin(exited, graceMs)) return;
      }
      await exited;
    },
  };
}

async function endedWithin(exited: Promise<void>, timeoutMs: number): Promise<boolean> {
  const timer = new AbortController();
  try {
    return await Promise.race([
      exited.then(() => true),
      delay(timeoutMs, false, { signal: timer.signal }),
    ]);
  } finally {
    timer.abort();
  }
}

async function untilItAnswers(
  cluster: RunningCluster,
  options: LaunchOptions,
  port: number,
): Promise<void> {
  let ended = false;
  void cluster.exited.then(() => {
    ended = true;
  });
  const started = performance.now();
  let deadline = started + options.timeoutMs;
  let lastError: unknown;
  while (!ended && performance.now() < deadline) {
    const client = new pg.Client({
      host: "127.0.0.1",
      port,
      user: SUPERUSER,
      password: options.password,
      database: "postgres",
      connectionTimeoutMillis: 5_000,
    });
    client.on("error", () => {});
    try {
      await client.connect();
      await client.query("SELECT 1");
      return;
    } catch (error) {
      lastError = error;
      // 57P03: starting up or recovering. It is alive and at work, so the deadline moves on.
      if (sqlState(error) === "57P03") {
        deadline = Math.min(performance.now() + options.timeoutMs, started + RECOVERY_LIMIT_MS);
      }
    } finally {
      await client.end().catch(() => {});
    }
    await Promise.race([cluster.exited, delay(50)]);
  }
  throw new Error(
    ended ? "Postgres ended at once" : `no answer on port ${port} in ${options.timeoutMs} ms`,
    {
      cause: lastError,
    },
  );
}

/** Connection string of the superuser. */
export function clusterUrl(port: number, password: string, database: string): string {
  return `postgres://${SUPERUSER}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;
}

/** PG* variables of our user's shell would change where initdb and postgres look. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    LC_ALL: "C",
    LANG: "C",
  };
}

function freeLoopbackPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        resolve(typeof address === "object" && address !== null ? address.port : 0),
      );
    });
  });
}

async function logSize(file: string): Promise<number> {
  const handle = await open(file, "a", 0o600);
  try {
    return (await handle.stat()).size;
  } finally {
    await handle.close();
  }
}

/** What was written after `offset`, at most the last 8 KB of it. */
async function readLog(file: string, offset: number): Promise<string> {
  const handle = await open(file, "r");
  try {
    const { size } = await handle.stat();
    const from = Math.max(offset, size - 8_192);
    const { buffer, bytesRead } = await handle.read(
      Buffer.alloc(size - from),
      0,
      size - from,
      from,
    );
    return buffer.subarray(0, bytesRead).toString("utf8");
  } finally {
    await handle.close();
  }
}

/** The end of a program's output, in one line. */
function lastLines(output: string): string {
  const lines = output
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return lines.slice(-4).join(" | ").slice(-600);
}
