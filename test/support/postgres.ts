import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { freePort } from "../../src/platform/free-port.ts";
import { createCluster } from "../../src/platform/postgres-initdb.ts";
import {
  launchCluster,
  type RunningCluster,
  type StopMode,
} from "../../src/platform/postgres-server.ts";
import {
  type ClusterTools,
  clusterUrl,
  findClusterTools,
} from "../../src/platform/postgres-tools.ts";

export interface OwnPostgres {
  /** Connection string of a superuser; the same after every restart. */
  url: string;
  port: number;
  /** Default "fast": sessions are ended. "immediate" is what a crash leaves behind. */
  stop(mode?: StopMode): Promise<void>;
  /** Starts it again on the same port; nothing when it runs. */
  start(): Promise<void>;
  restart(mode?: StopMode): Promise<void>;
  /** SIGKILL: the server is gone without a word, and recovers at the next start. */
  kill(): Promise<void>;
  /** Stops it and removes its data. */
  destroy(): Promise<void>;
}

export interface PostgresOptions {
  /** `name=value` of postgresql.conf, e.g. `{ max_connections: "20" }`. */
  settings?: Record<string, string>;
}

/** A Postgres of the caller's own, in a temporary folder, not durable. Destroy it when done. */
export async function startPostgres(options: PostgresOptions = {}): Promise<OwnPostgres> {
  const folder = await mkdtemp(path.join(tmpdir(), "heliograph-postgres-"));
  await chmod(folder, 0o755); // the account that Postgres runs as must be able to enter
  const dataFolder = path.join(folder, "data");
  const password = "test";
  const port = await freePort();
  let running: RunningCluster | undefined;

  const killOnExit = () => running?.signal("SIGKILL");
  process.on("exit", killOnExit);

  async function launch(tools: ClusterTools): Promise<RunningCluster> {
    return launchCluster(tools, {
      dataFolder,
      logFile: path.join(folder, "postgres.log"),
      password,
      port,
      settings: { fsync: "off", full_page_writes: "off", ...options.settings },
      timeoutMs: 60_000,
    });
  }

  const tools = await findClusterTools(folder, dataFolder);
  await createCluster(tools, { dataFolder, password, durable: false, timeoutMs: 120_000 });
  running = await launch(tools);

  const handle: OwnPostgres = {
    url: clusterUrl(port, password, "postgres"),
    port,
    stop: async (mode = "fast") => {
      await running?.stop(mode);
      running = undefined;
    },
    start: async () => {
      running ??= await launch(tools);
    },
    restart: async (mode) => {
      await handle.stop(mode);
      await handle.start();
    },
    kill: async () => {
      running?.signal("SIGKILL");
      await running?.exited;
      running = undefined;
    },
    destroy: async () => {
      await handle.stop("immediate");
      process.off("exit", killOnExit);
      await rm(folder, { recursive: true, force: true });
    },
  };
  return handle;
}
