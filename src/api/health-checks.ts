import { UnsafeRedis } from "../jobs/index.ts";
import { isUnavailable, sqlState } from "../platform/index.ts";
import type { Services } from "./services.ts";

export interface Check {
  ok: boolean;
  /** In words of ours: anybody may ask, and a driver's own message names hosts, users and databases. */
  detail?: string;
}

/** What this process stands on. */
export interface Checks {
  database: Check;
  wakes: Check;
}

const CHECK_TIMEOUT_MS = 2_000;

class NoAnswerInTime extends Error {
  override name = "NoAnswerInTime";
}

/** By SQLSTATE (PostgreSQL: Appendix A), by its class, or by the code of a socket's or resolver's error. */
const REASONS: Record<string, string> = {
  // The connection's role, which the migrations make.
  "22023": "the schema is not as expected: is it migrated?",
  "28": "the credentials were refused",
  "3D000": "the database does not exist",
  "42": "the schema is not as expected: is it migrated?",
  "53300": "no connection is free",
  "57014": "no answer in time",
  "57P": "it is stopping or starting",
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was cut",
  EPIPE: "the connection was cut",
  ETIMEDOUT: "no answer in time",
  ENOTFOUND: "its name is unknown",
  EAI_AGAIN: "its name could not be looked up",
};

/** Why a check failed, in one of a few fixed texts. */
export function reasonOf(error: unknown): string {
  if (error instanceof NoAnswerInTime) return "no answer in time";
  if (error instanceof UnsafeRedis) return "Redis may evict: set maxmemory-policy to noeviction";
  const code = sqlState(error) ?? (error as { code?: unknown } | null)?.code;
  if (typeof code === "string") {
    const known = [code, code.slice(0, 3), code.slice(0, 2)].find((key) =>
      Object.hasOwn(REASONS, key),
    );
    if (known !== undefined) return REASONS[known] ?? "";
  }
  return isUnavailable(error) ? "it cannot be reached" : "it failed; the log says how";
}

async function within(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NoAnswerInTime()), CHECK_TIMEOUT_MS);
  });
  try {
    await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Looks at what this process stands on, at most two seconds. A failure's whole error goes to the
 * log, once until its reason changes, since anybody may ask as often as they like.
 */
export function createChecks({ db, jobs, log }: Pick<Services, "db" | "jobs" | "log">) {
  const told = new Map<string, string>();

  async function checked(check: string, work: Promise<unknown>): Promise<Check> {
    try {
      await within(work);
      told.delete(check);
      return { ok: true };
    } catch (error) {
      const detail = reasonOf(error);
      if (told.get(check) !== detail) log.warn({ err: error, check }, "a check of health failed");
      told.set(check, detail);
      return { ok: false, detail };
    }
  }

  return async (): Promise<Checks> => {
    const [database, wakes] = await Promise.all([
      checked("database", db.query("SELECT 1 FROM jobs LIMIT 1")),
      checked("wakes", jobs.check()),
    ]);
    return { database, wakes };
  };
}
