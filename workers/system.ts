import { recordAudit } from "../src/audit/index.ts";
import { commandLists } from "../src/compliance/index.ts";
import {
  type BotApis,
  type Connectors,
  createBotApis,
  createConnectors,
} from "../src/connectors/index.ts";
import { createDownloadHooks } from "../src/evidence/index.ts";
import { createJobs, type Jobs, UnsafeRedis } from "../src/jobs/index.ts";
import {
  createCallGate,
  createConnectorSends,
  createOutboundHooks,
} from "../src/outbound/index.ts";
import {
  assertDatabaseReady,
  type Config,
  createKeyring,
  createLogger,
  createMetrics,
  type Database,
  isUnavailable,
  type Keyring,
  type Logger,
  type Metrics,
  missingSetting,
  openDatabase,
} from "../src/platform/index.ts";
import { createBotApiFactory } from "../src/telegram/index.ts";
import { createFileStorage, type FileStorage } from "./file-storage.ts";
import { ledgerAudit } from "./ledger-audit.ts";

/** What every process of an installation has: wired once, here. */
export interface System {
  config: Config;
  log: Logger;
  metrics: Metrics;
  db: Database;
  keyring: Keyring;
  jobs: Jobs;
  botApis: BotApis;
  connectors: Connectors;
  /** Where files of evidence lie; opened when it is needed. */
  files: FileStorage;
  /** Closes what is open, in order. Pools are stopped first, then connections. */
  close(): Promise<void>;
}

const DEFAULT_API_ROOT = "https://api.telegram.org";

/**
 * Where Telegram reaches this installation; loopback for a Bot API server of one's own. Null in
 * polling mode, where it need not.
 */
export function publicUrlOf(config: Config): string | null {
  if (config.updatesMode === "polling") return null;
  if (config.publicUrl !== undefined) return config.publicUrl.replace(/\/+$/, "");
  if (config.telegramApiRoot === DEFAULT_API_ROOT) throw missingSetting("PUBLIC_URL");
  return `http://127.0.0.1:${config.port}`;
}

/** Wires a process. `connections` bounds its pool. Throws `ConfigError` for what is not set. */
export function openSystem(config: Config, role: string, connections: number): System {
  if (config.databaseUrl === undefined) throw missingSetting("DATABASE_URL");
  if (config.encryptionKeys === undefined) throw missingSetting("ENCRYPTION_KEYS");
  const publicUrl = publicUrlOf(config);
  const log = createLogger({ level: config.logLevel }).child({ role });
  const metrics = createMetrics({ processMetrics: true });
  const db = openDatabase({
    url: config.databaseUrl,
    max: connections,
    applicationName: `heliograph ${role}`,
    onIdleError: (error) => log.warn({ err: error }, "an idle connection was lost"),
  });
  const keyring = createKeyring(config.encryptionKeys);
  const botApi = createBotApiFactory({ apiRoot: config.telegramApiRoot });
  const botApis = createBotApis({ db, keyring, botApi });
  const jobs = createJobs({
    db,
    log,
    redis: config.redis,
    hooks: { outbound: createOutboundHooks(), evidence: createDownloadHooks() },
    recorder: ledgerAudit,
  });
  const files = createFileStorage({ config, db, keyring, log });
  metrics.gauge({
    name: "heliograph_lanes_held",
    help: "Lanes this process holds a lease on.",
    collect: (gauge) => gauge.set(jobs.lanesHeld),
  });
  metrics.gauge({
    name: "heliograph_wakes_dropped",
    help: "Wakes given up since the start; the sweep carried their lanes.",
    collect: (gauge) => gauge.set(jobs.wakesDropped),
  });
  return {
    config,
    log,
    metrics,
    db,
    keyring,
    jobs,
    botApis,
    files,
    connectors: createConnectors({
      db,
      keyring,
      botApi,
      botApis,
      publicUrl,
      commands: commandLists(),
      sends: createConnectorSends({ db, ledger: jobs.ledger }),
      callNow: createCallGate({ db, botApiFor: (id) => botApis.forConnector(id) }),
      audit: recordAudit,
      log,
    }),
    close: async () => {
      await jobs.stop();
      files.close();
      await db.close();
    },
  };
}

/**
 * Ends the start where the database answers and is not one to work with: not migrated, or without the
 * roles that keep workspaces apart. One that is away is not waited for: what needs it says so.
 */
export async function checkDatabase({ db, log }: System): Promise<void> {
  try {
    await assertDatabaseReady(db);
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    log.warn({ err: error }, "the database cannot be reached now");
  }
}

/**
 * Says at start whether wakes can travel. A Redis that may evict is refused; one that is away is
 * not waited for: the sweep carries the work meanwhile.
 */
export async function checkWakes({ jobs, log }: System): Promise<void> {
  try {
    await jobs.check();
  } catch (error) {
    if (error instanceof UnsafeRedis) throw error;
    log.warn({ err: error }, "wakes cannot travel now; the sweep carries the work");
  }
}
