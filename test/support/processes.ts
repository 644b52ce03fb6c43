import { randomBytes } from "node:crypto";
import { type RunningScript, startScript } from "./script.ts";
import { waitFor } from "./wait-for.ts";

const main = new URL("../../workers/main.ts", import.meta.url);

export interface ProcessOptions {
  databaseUrl: string;
  redisUrl: string | undefined;
  telegramApiRoot: string;
  port: number;
  adminToken?: string;
  logLevel?: string;
  /** One for all processes of an installation. */
  encryptionKeys: string;
  updatesMode?: "webhook" | "polling";
  /** Where files of evidence lie; what fetches or gives out some needs it. */
  storageUrl?: string;
  scannerUrl?: string;
}

export const newEncryptionKeys = () => `v1:${randomBytes(32).toString("base64")}`;

/** A process as a Procfile line starts it; resolves once it says that it is up. The caller ends it. */
export async function startProcess(
  command: "web" | "ingest" | "outbound" | "evidence" | "poller",
  options: ProcessOptions,
): Promise<RunningScript> {
  const running = startScript(main, {
    args: [command],
    env: {
      PORT: String(options.port),
      DATABASE_URL: options.databaseUrl,
      REDIS_URL: options.redisUrl,
      TELEGRAM_API_ROOT: options.telegramApiRoot,
      ENCRYPTION_KEYS: options.encryptionKeys,
      ADMIN_TOKEN: options.adminToken,
      UPDATES_MODE: options.updatesMode,
      STORAGE_URL: options.storageUrl,
      SCANNER_URL: options.scannerUrl,
      LOG_LEVEL: options.logLevel ?? "info",
    },
  });
  let ended = false;
  void running.exited.then(() => {
    ended = true;
  });
  const isUp = () => /"msg":"(listening|working)"/.test(running.stderr());
  await waitFor(() => ended || isUp(), { timeoutMs: 30_000, what: `${command} to be up` });
  if (ended) throw new Error(`${command} ended: ${running.stderr()}`);
  return running;
}
