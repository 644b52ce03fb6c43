import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmod, mkdir } from "node:fs/promises";
import path from "node:path";
import { createCluster } from "../src/platform/postgres-initdb.ts";
import { launchCluster, type RunningCluster } from "../src/platform/postgres-server.ts";
import { clusterUrl, findClusterTools } from "../src/platform/postgres-tools.ts";

/** A durable Postgres of the run's own, which may be stopped, killed and started again. */
export interface ChaosPostgres {
  url: string;
  restart(mode: "fast" | "immediate"): Promise<void>;
  /** SIGKILL, and a start that recovers. */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 120_000;

export async function startPostgres(folder: string, port: number): Promise<ChaosPostgres> {
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o755);
  const dataFolder = path.join(folder, "data");
  const password = "chaos";
  const tools = await findClusterTools(folder, dataFolder);
  await createCluster(tools, { dataFolder, password, durable: true, timeoutMs: START_TIMEOUT_MS });
  const launch = () =>
    launchCluster(tools, {
      dataFolder,
      logFile: path.join(folder, "postgres.log"),
      password,
      port,
      settings: { max_connections: "200" },
      timeoutMs: START_TIMEOUT_MS,
    });
  let running: RunningCluster = await launch();
  let under = Promise.resolve();
  /** Two faults at once may both be Postgres's: one after the other. */
  const inTurn = (fault: () => Promise<void>): Promise<void> => {
    const struck = under.then(fault);
    under = struck.catch(() => {});
    return struck;
  };
  return {
    url: clusterUrl(port, password, "postgres"),
    restart: (mode) =>
      inTurn(async () => {
        await running.stop(mode);
        running = await launch();
      }),
    crash: () =>
      inTurn(async () => {
        running.signal("SIGKILL");
        await running.exited;
        running = await launch();
      }),
    stop: () => running.stop("immediate"),
  };
}

/** A Redis that forgets everything when it stops. */
export interface ChaosRedis {
  url: string;
  start(): void;
  stop(): Promise<void>;
}

export const hasRedis = () => spawnSync("redis-server", ["--version"]).status === 0;

export function startRedis(folder: string, port: number): ChaosRedis {
  let child: ChildProcess | undefined;
  const flags = ["--port", String(port), "--dir", folder, "--save", "", "--appendonly", "no"];
  const start = () => {
    child ??= spawn("redis-server", [...flags, "--maxmemory-policy", "noeviction"], {
      stdio: "ignore",
    });
  };
  start();
  return {
    url: `redis://127.0.0.1:${port}`,
    start,
    stop: async () => {
      const stopping = child;
      child = undefined;
      if (stopping === undefined) return;
      const exited = new Promise((resolve) => stopping.once("exit", resolve));
      stopping.kill("SIGKILL");
      await exited;
    },
  };
}
