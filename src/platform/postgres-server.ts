import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { open } from "node:fs/promises";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { sqlState } from "./database.ts";
import { freePort } from "./free-port.ts";
import { type ClusterTools, lastLines, SUPERUSER } from "./postgres-tools.ts";
import { SYSTEM_ENVIRONMENT } from "./system-environment.ts";

/**
 * One Postgres cluster of ours as a child process: started, watched, stopped. What it is for (a
 * folder that lasts, a throw-away of a test run) is its caller's business.
 */

/** `fast` ends their sessions, `immediate` is a crash in good order. */
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
    const port = options.port ?? (await freePort());
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
      env: SYSTEM_ENVIRONMENT,
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
  if (child.pid !== undefined) endWithUs(child.pid, options.dataFolder, exited);
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

/**
 * A shell that reads from a pipe of ours. When we are gone, however that came, the pipe closes, and
 * the shell tells Postgres to stop, if the folder still names it: a killed process leaves no server
 * behind, and a process that has the number by then is left alone.
 */
function endWithUs(pid: number, dataFolder: string, exited: Promise<void>): void {
  const script =
    'read -r _; [ "$(head -n 1 "$2/postmaster.pid" 2>/dev/null)" = "$1" ] && kill -INT "$1"';
  const watchdog = spawn(
    "/bin/sh",
    ["-c", script, "heliograph-watchdog", String(pid), dataFolder],
    {
      cwd: "/",
      env: SYSTEM_ENVIRONMENT,
      detached: true, // Ctrl-C in a terminal is not its end
      stdio: ["pipe", "ignore", "ignore"],
    },
  );
  watchdog.on("error", () => {}); // without a shell, the next start stops what was left
  watchdog.stdin.on("error", () => {});
  watchdog.unref();
  (watchdog.stdin as Socket).unref();
  void exited.then(() => watchdog.kill("SIGKILL"));
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
