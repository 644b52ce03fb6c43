import path from "node:path";
import { z } from "zod";
import { ConfigError, EXAMPLES, missingSetting } from "./config-error.ts";
import { parseDatabaseUrl } from "./database-url.ts";
import { parseEncryptionKeys, type VersionedKey } from "./encryption-keys.ts";
import { parseRedisUrl, type RedisConfig } from "./redis-url.ts";
import { parseScannerUrl, type ScannerConfig } from "./scanner-url.ts";
import { parseStorageUrl, type S3Credentials, type StorageConfig } from "./storage-url.ts";
import { parseTrustedProxies } from "./trusted-proxies.ts";

/**
 * The one reader of the environment. What a process needs is read and checked here, once, at its
 * start; everything else is handed what it needs.
 */
export interface Config {
  /** Web port; 0 lets the system choose. */
  port: number;
  /** Undefined: embedded Postgres. Checked, and ready for the driver. */
  databaseUrl?: string;
  /** Undefined: BullMQ on Postgres. */
  redis?: RedisConfig;
  /** The address of `redis` as it was given. */
  redisUrl?: string;
  /** Where Telegram reaches us, without a slash at the end. Undefined: loopback, with the sandbox. */
  publicUrl?: string;
  /** Whose X-Forwarded-For is believed, as Express's `trust proxy` takes it. Undefined: nobody's. */
  trustedProxies?: string[];
  /** Bot API server, without a slash at the end. */
  telegramApiRoot: string;
  /** True when it was given; otherwise it is Telegram's own. */
  telegramApiRootGiven?: true;
  /**
   * The Bot API server runs with `--local`, and its files are read from this machine's disk: from
   * below `folder`, or from wherever it says they lie. Undefined: files come over HTTP.
   */
  telegramLocalFiles?: LocalFiles;
  /** Looks at files that people hand in before they are given to anybody. Undefined: nobody does. */
  scanner?: ScannerConfig;
  /** Newest first. Undefined: embedded mode makes one. */
  encryptionKeys?: VersionedKey[];
  adminToken?: string;
  /** The token that `connector add` and `connector rotate` are given; of no use to a process. */
  botToken?: string;
  logLevel: LogLevel;
  /** Where files of evidence lie. Undefined: embedded mode has a folder beside its data. */
  storage?: StorageConfig;
  /** How updates come in: Telegram sends them, or pollers ask for them. */
  updatesMode: UpdatesMode;
  /** What files that are to be sent may take of a process's disk, in bytes; undefined: the default. */
  sendFilesMaxBytes?: number;
  /** How long what is over is kept, in ms; undefined: each room's own default. */
  retention?: {
    finishedMs?: number;
    discardedMs?: number;
    attemptsMs?: number;
    bodiesMs?: number;
    updateKeysMs?: number;
  };
}

export interface LocalFiles {
  /** The server's own folder (its `--dir`); null: it was not told. */
  folder: string | null;
}

export const UPDATES_MODES = ["webhook", "polling"] as const;
export type UpdatesMode = (typeof UPDATES_MODES)[number];

export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const DEFAULT_API_ROOT = "https://api.telegram.org";
/** Bot API: setWebhook, "Ports currently supported for webhooks". */
const WEBHOOK_PORTS = ["443", "80", "88", "8443"];

/** Reads one variable with `parse`, whose errors say what is wrong with it. Empty means unset. */
const setting = <Value>(parse: (text: string) => Value) =>
  z
    .string()
    .optional()
    .transform((text, context): Value | undefined => {
      if (text === undefined || text.trim() === "") return undefined;
      try {
        return parse(text.trim());
      } catch (error) {
        context.addIssue({ code: "custom", message: (error as Error).message });
        return z.NEVER;
      }
    });

const environment = z.object({
  PORT: setting(parsePort),
  DATABASE_URL: setting(parseDatabaseUrl),
  REDIS_URL: setting((text) => ({ url: text, config: parseRedisUrl(text) })),
  PUBLIC_URL: setting(parsePublicUrl),
  TRUSTED_PROXIES: setting(parseTrustedProxies),
  TELEGRAM_API_ROOT: setting(parseApiRoot),
  TELEGRAM_LOCAL_FILES: setting(parseLocalFiles),
  SCANNER_URL: setting(parseScannerUrl),
  ENCRYPTION_KEYS: setting(parseEncryptionKeys),
  ADMIN_TOKEN: setting(parseVisible),
  BOT_TOKEN: setting((text) => text),
  LOG_LEVEL: setting(parseLogLevel),
  UPDATES_MODE: setting(parseUpdatesMode),
  // At least an album as large as it may be.
  SEND_FILES_DISK_MB: setting((text) => parseWhole(text, 500, 99_999) * 2 ** 20),
  STORAGE_URL: setting(parseStorageUrl),
  AWS_ACCESS_KEY_ID: setting(parseVisible),
  AWS_SECRET_ACCESS_KEY: setting(parseVisible),
  AWS_SESSION_TOKEN: setting(parseVisible),
  RETENTION_FINISHED_DAYS: setting((text) => parseWhole(text, 1, 3_650) * DAY_MS),
  RETENTION_DISCARDED_DAYS: setting((text) => parseWhole(text, 1, 3_650) * DAY_MS),
  RETENTION_ATTEMPTS_DAYS: setting((text) => parseWhole(text, 1, 3_650) * DAY_MS),
  RETENTION_RAW_UPDATES_DAYS: setting((text) => parseWhole(text, 1, 3_650) * DAY_MS),
  // Telegram delivers again for a day, and begins its ids anew after a silent week.
  RETENTION_UPDATE_KEYS_HOURS: setting((text) => parseWhole(text, 48, 167) * HOUR_MS),
});

/**
 * Reads the settings of contract from `env`.
 *
 * @throws ConfigError for the first variable that is wrong
 */
export function loadConfig(env: Record<string, string | undefined> = process.env): Config {
  const result = environment.safeParse(env);
  if (!result.success) {
    const [issue] = result.error.issues;
    const variable = issue?.path[0] as keyof typeof EXAMPLES;
    throw new ConfigError(variable, issue?.message ?? "is wrong", EXAMPLES[variable]);
  }
  const values = result.data;
  const telegramApiRoot = values.TELEGRAM_API_ROOT ?? DEFAULT_API_ROOT;
  if (values.PUBLIC_URL !== undefined) checkWebhookPort(values.PUBLIC_URL, telegramApiRoot);
  return {
    port: values.PORT ?? 3000,
    databaseUrl: values.DATABASE_URL,
    redis: values.REDIS_URL?.config,
    redisUrl: values.REDIS_URL?.url,
    publicUrl: values.PUBLIC_URL,
    trustedProxies: values.TRUSTED_PROXIES,
    telegramApiRoot,
    ...(values.TELEGRAM_API_ROOT === undefined ? {} : { telegramApiRootGiven: true }),
    telegramLocalFiles: values.TELEGRAM_LOCAL_FILES,
    scanner: values.SCANNER_URL,
    encryptionKeys: values.ENCRYPTION_KEYS,
    adminToken: values.ADMIN_TOKEN,
    botToken: values.BOT_TOKEN,
    logLevel: values.LOG_LEVEL ?? "info",
    updatesMode: values.UPDATES_MODE ?? "webhook",
    sendFilesMaxBytes: values.SEND_FILES_DISK_MB,
    storage: withCredentials(values.STORAGE_URL, {
      accessKeyId: values.AWS_ACCESS_KEY_ID,
      secretAccessKey: values.AWS_SECRET_ACCESS_KEY,
      sessionToken: values.AWS_SESSION_TOKEN,
    }),
    retention: {
      finishedMs: values.RETENTION_FINISHED_DAYS,
      discardedMs: values.RETENTION_DISCARDED_DAYS,
      attemptsMs: values.RETENTION_ATTEMPTS_DAYS,
      bodiesMs: values.RETENTION_RAW_UPDATES_DAYS,
      updateKeysMs: values.RETENTION_UPDATE_KEYS_HOURS,
    },
  };
}

/** With those of S3, where it is S3: both halves of a key, or none. */
function withCredentials(
  storage: StorageConfig | undefined,
  { accessKeyId, secretAccessKey, sessionToken }: Partial<S3Credentials>,
): StorageConfig | undefined {
  if (storage?.kind !== "s3") return storage;
  if (accessKeyId === undefined && secretAccessKey === undefined) return storage;
  if (accessKeyId === undefined) throw missingSetting("AWS_ACCESS_KEY_ID");
  if (secretAccessKey === undefined) throw missingSetting("AWS_SECRET_ACCESS_KEY");
  const token = sessionToken === undefined ? {} : { sessionToken };
  return { ...storage, credentials: { accessKeyId, secretAccessKey, ...token } };
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) {
    throw new Error(`is ${quote(text)}: must be a whole number from 0 to 65535`);
  }
  return port;
}

function parseWhole(text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d{1,5}$/.test(text) || value < least || value > most) {
    throw new Error(`is ${quote(text)}: must be a whole number from ${least} to ${most}`);
  }
  return value;
}

function parsePublicUrl(text: string): string {
  const url = parseAddress(text);
  if (url.protocol !== "https:" && !isLoopback(url.hostname)) {
    throw new Error(`is ${quote(text)}: must be https, since Telegram delivers to nothing else`);
  }
  return withoutSlash(url);
}

function parseApiRoot(text: string): string {
  return withoutSlash(parseAddress(text));
}

/** Undefined: they are not read from the disk. */
function parseLocalFiles(text: string): LocalFiles | undefined {
  if (text === "0") return undefined;
  if (text === "1") return { folder: null };
  // Below "/" lies everything.
  if (path.isAbsolute(text) && path.resolve(text) !== "/") return { folder: path.resolve(text) };
  throw new Error(`is ${quote(text)}: must be 1, or that server's own folder as an absolute path`);
}

function parseAddress(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new Error(`is ${quote(text)}: must be a URL`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new Error("holds a user or a password, which it must not");
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new Error(`is ${quote(text)}: must begin with https://`);
  }
  if (url.search !== "" || url.hash !== "") {
    throw new Error(`is ${quote(text)}: must end with its host or path`);
  }
  return url;
}

function checkWebhookPort(publicUrl: string, telegramApiRoot: string): void {
  const { port, hostname } = new URL(publicUrl);
  // A Bot API server of one's own calls any port.
  if (telegramApiRoot !== DEFAULT_API_ROOT || isLoopback(hostname)) return;
  if (port !== "" && !WEBHOOK_PORTS.includes(port)) {
    throw new ConfigError(
      "PUBLIC_URL",
      `has port ${port}: Telegram delivers to ${WEBHOOK_PORTS.join(", ")} only`,
      EXAMPLES.PUBLIC_URL,
    );
  }
}

function isLoopback(hostname: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}

function withoutSlash(url: URL): string {
  return url.toString().replace(/\/+$/, "");
}

/** For what travels in headers. */
function parseVisible(text: string): string {
  if (!/^[\x21-\x7e]+$/.test(text)) {
    throw new Error("holds characters that a header cannot carry: use visible ASCII");
  }
  return text;
}

function parseLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text.toLowerCase());
  if (level === undefined)
    throw new Error(`is ${quote(text)}: must be one of ${LOG_LEVELS.join(", ")}`);
  return level;
}

function parseUpdatesMode(text: string): UpdatesMode {
  const mode = UPDATES_MODES.find((known) => known === text);
  if (mode === undefined) throw new Error(`is ${quote(text)}: must be webhook or polling`);
  return mode;
}

/** What was given, for the error line: short, and in one line. */
function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
