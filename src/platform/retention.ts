import { randomInt } from "node:crypto";
import type { Database, Transaction } from "./database.ts";
import { isUnavailable } from "./database.ts";
import type { Logger } from "./log.ts";
import { takeTurn } from "./turn.ts";

/**
 * Retention: what has been kept long enough is dropped, in batches that nobody feels. A room says
 * what may go (`RetentionRule`); this service asks for it again and again, a bounded number of rows
 * a transaction and a pause after each, in whichever process holds the lock at the moment.
 */

/** One kind of rows that do not stay for ever. */
export interface RetentionRule {
  /** For the log, e.g. `finished jobs`. */
  name: string;
  /** Time between two runs of this rule, in the whole installation, in ms. Default 60 000. */
  everyMs?: number;
  /**
   * Drops at most about `limit` rows that may go, and says how many and whether to ask again. Runs
   * in a transaction of its own; takes no lock that the hot path waits for. `place` is what this
   * rule answered last in this run, null at its start: where it left off.
   */
  dropBatch(tx: Transaction, limit: number, place: string | null): Promise<Dropped>;
}

export interface Dropped {
  rows: number;
  /** Where to go on; null: the end. */
  place: string | null;
}

/**
 * A batch of a rule that one statement applies, which returns the rows it dropped, `limit` at most:
 * fewer are the last. `params` follow the limit, which is `$1`.
 */
export async function dropBySql(
  tx: Transaction,
  sql: string,
  limit: number,
  ...params: unknown[]
): Promise<Dropped> {
  const rows = (await tx.query(sql, [limit, ...params])).length;
  return { rows, place: rows === limit ? "more" : null };
}

export interface RetentionOptions {
  db: Database;
  log: Logger;
  rules: RetentionRule[];
  /** How often a process looks whether a rule is due, in ms. Default 60 000. */
  lookEveryMs?: number;
  /** Rows a transaction. Default 1 000. */
  batchRows?: number;
  /** Pause after each transaction, in ms. Default 50: most of the time is everybody else's. */
  pauseMs?: number;
  /** Transactions of one rule in one run; the rest waits for the next. Default 2 000. */
  maxBatches?: number;
}

export interface Retention {
  start(): void;
  /** Ends after the batch under way. */
  stop(): Promise<void>;
  /** One run of all rules, due or not: rows dropped, by rule. */
  runOnce(): Promise<Record<string, number>>;
}

/** Asked for in every batch's own transaction: it goes with a process that dies, whatever way. */
const ALONE = `/* retention.alone */
SELECT pg_try_advisory_xact_lock(hashtext('heliograph'), hashtext('retention')) AS yes`;

const EVERY_MS = 60_000;

export function createRetention(options: RetentionOptions): Retention {
  const { db, log, rules } = options;
  const { lookEveryMs = EVERY_MS, batchRows = 1_000, pauseMs = 50, maxBatches = 2_000 } = options;
  let timer: NodeJS.Timeout | undefined;
  let stopping = false;
  let endPause: () => void = () => {};
  let running: Promise<unknown> = Promise.resolve();

  const pause = () =>
    new Promise<void>((resolve) => {
      const wait = setTimeout(resolve, pauseMs);
      endPause = () => {
        clearTimeout(wait);
        resolve();
      };
    });

  /** Null: another process is at it. */
  const dropBatch = (rule: RetentionRule, place: string | null) =>
    db.transaction(async (tx) => {
      const [lock] = await tx.query<{ yes: boolean }>(ALONE);
      return lock?.yes ? rule.dropBatch(tx, batchRows, place) : null;
    });

  async function apply(rule: RetentionRule): Promise<number> {
    let rows = 0;
    let place: string | null = null;
    for (let batch = 0; batch < maxBatches && !stopping; batch++) {
      const dropped: Dropped | null = await dropBatch(rule, place);
      if (dropped === null) break;
      rows += dropped.rows;
      place = dropped.place;
      if (place === null) break;
      await pause();
    }
    return rows;
  }

  /** One process takes a rule's turn, and no other before its time has come again. */
  const isTurn = (rule: RetentionRule) =>
    takeTurn(db, `retention: ${rule.name}`, rule.everyMs ?? EVERY_MS);

  async function run(isDue: (rule: RetentionRule) => Promise<boolean>) {
    const dropped: Record<string, number> = {};
    for (const rule of rules) {
      if (stopping) break;
      try {
        if (!(await isDue(rule))) continue;
        dropped[rule.name] = await apply(rule);
      } catch (error) {
        // The others still have their turn; what was committed stays dropped.
        const message = isUnavailable(error) ? "retention: database away" : "retention failed";
        log.warn({ err: error, rule: rule.name }, message);
      }
    }
    const rows = Object.values(dropped).reduce((sum, count) => sum + count, 0);
    if (rows > 0) log.info({ dropped }, "retention");
    return dropped;
  }

  function schedule(): void {
    // Several processes don't ask in the same moment for ever.
    const delayMs = lookEveryMs / 2 + randomInt(Math.max(1, lookEveryMs));
    timer = setTimeout(() => {
      running = run(isTurn).finally(() => {
        if (!stopping) schedule();
      });
    }, delayMs);
    timer.unref();
  }

  return {
    start: () => {
      if (timer === undefined) schedule();
    },
    stop: async () => {
      stopping = true;
      clearTimeout(timer);
      endPause();
      await running;
    },
    runOnce: () => {
      const all = run(async () => true);
      running = all;
      return all;
    },
  };
}
