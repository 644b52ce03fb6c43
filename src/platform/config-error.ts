import { writeSync } from "node:fs";
import { scrub } from "./scrub.ts";

/** A setting is missing or wrong. The message is one line: the variable, what is wrong, an example. */
export class ConfigError extends Error {
  override name = "ConfigError";
  readonly variable: string;

  constructor(variable: string, wrong: string, example: string) {
    super(`${variable} ${wrong}, e.g. ${variable}=${example}`);
    this.variable = variable;
  }
}

/** A setting that this command cannot do without. */
export function missingSetting(variable: keyof typeof EXAMPLES): ConfigError {
  return new ConfigError(variable, "is not set", EXAMPLES[variable]);
}

/** What each variable may look like, for the end of its line. No example is anybody's secret. */
export const EXAMPLES = {
  PORT: "3000",
  DATABASE_URL:
    "postgres://user:password@db.example.com:5432/heliograph?sslmode=verify-full&sslrootcert=/etc/ssl/db-ca.pem",
  REDIS_URL: "redis://:password@redis.example.com:6379/0",
  PUBLIC_URL: "https://bots.example.com",
  TRUSTED_PROXIES: "10.0.0.0/8,192.0.2.7",
  TELEGRAM_API_ROOT: "https://api.telegram.org",
  TELEGRAM_LOCAL_FILES: "/var/lib/telegram-bot-api",
  SCANNER_URL: "clamd://127.0.0.1:3310",
  UPDATES_MODE: "webhook",
  ENCRYPTION_KEYS: "v1:$(node -p \"crypto.randomBytes(32).toString('base64')\")",
  ADMIN_TOKEN: "$(node -p \"crypto.randomBytes(32).toString('base64url')\")",
  BOT_TOKEN: "123456:ABC-…",
  LOG_LEVEL: "info",
  SEND_FILES_DISK_MB: "2048",
  STORAGE_URL: "s3://bucket/prefix?region=eu-central-1",
  AWS_ACCESS_KEY_ID: "AKIA…",
  AWS_SECRET_ACCESS_KEY: "…",
  AWS_SESSION_TOKEN: "…",
  RETENTION_FINISHED_DAYS: "7",
  RETENTION_DISCARDED_DAYS: "30",
  RETENTION_ATTEMPTS_DAYS: "7",
  RETENTION_RAW_UPDATES_DAYS: "3",
  RETENTION_UPDATE_KEYS_HOURS: "72",
} as const;

/**
 * What went wrong, in one line without a stack. Node leaves the message of an AggregateError (a
 * refused connection to a name with two addresses) empty, so its parts are told instead.
 */
export function oneLine(error: unknown): string {
  return scrub(describe(error))
    .replace(/\s*[\r\n]+\s*/g, " ")
    .trim();
}

function describe(error: unknown): string {
  if (error instanceof AggregateError && error.message === "" && error.errors.length > 0) {
    return [...new Set(error.errors.map(describe))].join("; ");
  }
  if (error instanceof Error)
    return error.message || (error as NodeJS.ErrnoException).code || error.name;
  return String(error);
}

/**
 * Ends the process with one line on stderr and exit code 1. For start-up only: later on, the
 * processes stop in order.
 */
export function fail(error: unknown): never {
  writeSync(2, `heliograph: ${oneLine(error)}\n`);
  process.exit(1);
}
