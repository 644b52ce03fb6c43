import type { Cluster, Redis } from "ioredis";
import {
  RateLimiterMemory,
  RateLimiterPostgres,
  RateLimiterRedis,
  RateLimiterRes,
} from "rate-limiter-flexible";
import type { Database } from "./database.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { dropBySql, type RetentionRule } from "./retention.ts";

/**
 * Counts of failures that all processes share, in Redis or in Postgres: so many a key in a window
 * that begins with its first one.
 *
 * A store that is slow or away keeps nobody waiting: few ask it at once, each for a moment, and the
 * others, and all while it is away, are counted in the memory of their process.
 */
export interface FailureStore {
  /** `name` tells one count from another; it stands in the store's keys. */
  count(name: string, most: number): FailureCount;
}

export interface FailureCount {
  /**
   * Counts one more failure of a key. Answers in how many ms its window ends when there were more
   * than may be; 0 otherwise. Never throws.
   */
  add(key: string): Promise<number>;
}

export interface FailureStoreOptions {
  db: Database;
  /** Undefined: Postgres. */
  redis?: Redis | Cluster;
  metrics: Metrics;
  log: Logger;
  /** How long a window is, in s. Default 60. */
  windowS?: number;
  /** How long an answer of the store is waited for. Default 250. */
  waitMs?: number;
}

/** Of all counts together: each may have a connection of the pool that commits updates, too. */
const MAX_ASKING = 2;
const WAIT_MS = 250;
const WINDOW_S = 60;
const SAID_EVERY_MS = 60_000;
/** No process's clock is further from another's. */
const CLOCKS_APART_MS = 60_000;
const TABLE = "failure_counts";

class TooMuchAsked extends Error {
  override name = "TooMuchAsked";
}

export function createFailureStore(options: FailureStoreOptions): FailureStore {
  const { log, windowS = WINDOW_S, waitMs = WAIT_MS } = options;
  const missed = options.metrics.counter({
    name: "heliograph_failures_counted_apart_total",
    help: "Failures that a process counted for itself, because the shared store was busy or away.",
  });
  let asking = 0;
  let saidMs = Number.NEGATIVE_INFINITY;

  /** Its place is taken until the store has answered, however short the wait for it was. */
  async function ask(store: RateLimiterRedis | RateLimiterPostgres, key: string): Promise<number> {
    if (asking >= MAX_ASKING) throw new TooMuchAsked("the store has not answered others yet");
    asking++;
    const answer = outcome(store.consume(key)).finally(() => {
      asking--;
    });
    return within(waitMs, answer);
  }

  function miss(error: unknown): void {
    missed.inc();
    const nowMs = performance.now();
    if (error instanceof TooMuchAsked || nowMs - saidMs < SAID_EVERY_MS) return;
    saidMs = nowMs;
    log.warn({ err: error }, "failures are counted by each process for itself");
  }

  return {
    count: (name, most) => {
      const limits = { keyPrefix: `heliograph:failures:${name}`, points: most, duration: windowS };
      const store = openStore(options, limits);
      const memory = new RateLimiterMemory(limits);
      // Another process's clock may be ahead of ours.
      const bounded = (waitedMs: number) => Math.min(waitedMs, windowS * 1_000);
      return {
        add: async (key) => {
          try {
            return bounded(await ask(store, key));
          } catch (error) {
            miss(error);
            return outcome(memory.consume(key));
          }
        },
      };
    },
  };
}

interface Limits {
  keyPrefix: string;
  points: number;
  duration: number;
}

function openStore({ db, redis }: FailureStoreOptions, limits: Limits) {
  if (redis !== undefined) {
    return new RateLimiterRedis({ ...limits, storeClient: redis, rejectIfRedisNotReady: true });
  }
  return new RateLimiterPostgres({
    ...limits,
    storeClient: { query: throughDatabase(db) },
    storeType: "client",
    tableName: TABLE,
    tableCreated: true,
    clearExpiredByTimeout: false,
  });
}

/** What the limiter asks of `pg`, asked of our door to it: prepared, and on connections it looks after. */
function throughDatabase(db: Database) {
  return async ({ text, values }: { text: string; values: unknown[] }) => {
    const rows = await db.query(`/* platform.count-failure */${text}`, values);
    return { rows, rowCount: rows.length };
  };
}

/** A limiter rejects with the same kind of answer that it resolves with when there were too many. */
async function outcome(counted: Promise<RateLimiterRes>): Promise<number> {
  try {
    await counted;
    return 0;
  } catch (error) {
    if (error instanceof RateLimiterRes) return Math.max(1, error.msBeforeNext);
    throw error;
  }
}

async function within<Result>(waitMs: number, answer: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error("the store did not answer in time")), waitMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
    // What comes of it later is nobody's any more.
    answer.catch(() => {});
  }
}

const DROP_ENDED = `/* platform.drop-failure-counts */
DELETE FROM failure_counts WHERE key = ANY (ARRAY(
  SELECT key FROM failure_counts WHERE expire < $2 ORDER BY expire LIMIT $1
  FOR UPDATE SKIP LOCKED))
RETURNING 1`;

/** Lets go of counts whose window has ended. Their times are of the processes' clocks, not Postgres's. */
export const failureCountRetention: RetentionRule = {
  name: "failure counts",
  dropBatch: (tx, limit) => dropBySql(tx, DROP_ENDED, limit, Date.now() - CLOCKS_APART_MS),
};
