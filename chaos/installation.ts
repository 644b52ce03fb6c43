import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { freePort } from "../src/platform/free-port.ts";
import { type Database, openDatabase, projectFile } from "../src/platform/index.ts";
import { migrateAll } from "../workers/migrate.ts";
import { startBalancer } from "./balancer.ts";
import { runOnce, type SupervisedProcess, supervise } from "./process.ts";
import { type ChaosPostgres, type ChaosRedis, startPostgres, startRedis } from "./servers.ts";
import { Telegram } from "./telegram.ts";

/** A whole installation, two processes of each kind, and a Telegram of its own, in one folder. */
export interface Installation {
  db: Database;
  /** As the superuser, with time for statements that read everything: what a run left behind. */
  owner: Database;
  postgres: ChaosPostgres;
  /** Undefined: BullMQ on Postgres. */
  redis: ChaosRedis | undefined;
  telegram: Telegram;
  /** Every entry of the sandbox's record, one JSON line each. */
  recordFile: string;
  /** Where callers reach the API. */
  url: string;
  adminToken: string;
  processes: SupervisedProcess[];
  /** Where files that were handed in lie. */
  storageFolder: string;
  /** Runs `heliograph …args` once, and gives what it printed and complained of. */
  command(args: string[]): Promise<{ code: number | null; lines: string[] }>;
  /** Logs of every process. Kept when asked to: a run that failed is read there. */
  folder: string;
  close(options: { keepFolder: boolean }): Promise<void>;
}

export async function openInstallation(backend: "redis" | "postgres"): Promise<Installation> {
  const folder = await mkdtemp(path.join(tmpdir(), "heliograph-chaos-"));
  const postgres = await startPostgres(path.join(folder, "postgres"), await freePort());
  await migrateAll(postgres.url);
  const redis = backend === "redis" ? startRedis(folder, await freePort()) : undefined;
  const db = openDatabase({ url: postgres.url, max: 4 });
  const owner = openDatabase({
    url: postgres.url,
    max: 1,
    as: "login",
    statementTimeoutMs: READ_WITHIN_MS,
  });
  const webPorts = [await freePort(), await freePort()];
  const balancer = await startBalancer(webPorts);
  const url = `http://127.0.0.1:${balancer.port}`;
  const sandboxPort = await freePort();
  const sandboxUrl = `http://127.0.0.1:${sandboxPort}`;
  const recordFile = path.join(folder, "record.jsonl");
  const adminToken = randomBytes(24).toString("base64url");
  const storageFolder = path.join(folder, "files");
  const env = {
    DATABASE_URL: postgres.url,
    TELEGRAM_API_ROOT: sandboxUrl,
    PUBLIC_URL: url,
    ADMIN_TOKEN: adminToken,
    ENCRYPTION_KEYS: `v1:${randomBytes(32).toString("base64")}`,
    STORAGE_URL: pathToFileURL(storageFolder).href,
    LOG_LEVEL: "info",
    ...(redis === undefined ? {} : { REDIS_URL: redis.url }),
  };
  const logs = path.join(folder, "logs");
  await mkdir(logs);
  const start = (name: string, args: string[], more: Record<string, string> = {}) =>
    supervise(name, [BIN, ...args], { ...env, ...more }, path.join(logs, `${name}.log`));
  const sandboxArgs = ["sandbox", "--port", String(sandboxPort), "--record-file", recordFile];
  const sandbox = start("sandbox", sandboxArgs);
  const processes = [
    ...webPorts.map((port, n) => start(`web-${n + 1}`, ["web"], { PORT: String(port) })),
    ...[1, 2].map((n) => start(`ingest-${n}`, ["ingest"])),
    ...[1, 2].map((n) => start(`outbound-${n}`, ["outbound"])),
    ...[1, 2].map((n) => start(`evidence-${n}`, ["evidence"])),
  ];
  const close = async ({ keepFolder }: { keepFolder: boolean }) => {
    await Promise.all([...processes, sandbox].map((one) => one.end()));
    balancer.close();
    await Promise.all([db.close(), owner.close()]);
    await redis?.stop();
    await postgres.stop();
    if (!keepFolder) await rm(folder, { recursive: true, force: true });
  };
  try {
    await answers(`${sandboxUrl}/sandbox/api/state`);
    for (const port of webPorts) await answers(`http://127.0.0.1:${port}/readyz`);
  } catch (error) {
    // Nobody else ends what was started.
    await close({ keepFolder: true });
    throw error;
  }
  return {
    db,
    owner,
    postgres,
    redis,
    telegram: new Telegram(sandboxUrl),
    recordFile,
    url,
    adminToken,
    processes,
    storageFolder,
    command: (args) => runOnce([BIN, ...args], env),
    folder,
    close,
  };
}

const BIN = projectFile("bin", "heliograph.mjs");
const START_WITHIN_MS = 180_000;
const READ_WITHIN_MS = 600_000;

async function answers(url: string): Promise<void> {
  const deadline = performance.now() + START_WITHIN_MS;
  for (;;) {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) }).catch(() => null);
    await response?.body?.cancel();
    if (response?.ok) return;
    if (performance.now() > deadline) throw new Error(`${url} does not answer`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
