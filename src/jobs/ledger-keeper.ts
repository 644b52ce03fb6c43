import { createTurns, type Database, type Logger } from "../platform/index.ts";
import { fileJobs, filingBehind } from "./filing.ts";
import { foldCounts, tickClock } from "./job-counts.ts";

/**
 * Of what is not filed a tenth is, each time, and a thousand at least: a burst is filed in the quiet
 * after it, and with a steady load filing is twenty seconds behind it.
 */
const SHARE_A_RUN = 0.1;
const MIN_FILED = 1_000;

const DROP_RATES = `/* jobs.drop-rates */
DELETE FROM job_rates WHERE slice < now() - interval '10 min'`;

/** The service that keeps the ledger ready to be searched and counted. */
export interface LedgerKeeper {
  start(): void;
  /** Ends after the batch under way. */
  stop(): Promise<void>;
  /** Files, folds, ticks, and forgets old rates, once. Throws the database's errors. */
  runOnce(): Promise<void>;
}

export interface LedgerKeeperOptions {
  db: Database;
  log: Logger;
  /** Default 2 000. */
  everyMs?: number;
}

export function createLedgerKeeper({
  db,
  log,
  everyMs = 2_000,
}: LedgerKeeperOptions): LedgerKeeper {
  const stopping = new AbortController();
  const runOnce = async () => {
    const limit = Math.max(MIN_FILED, SHARE_A_RUN * (await filingBehind(db)));
    await fileJobs(db, { limit, signal: stopping.signal });
    await foldCounts(db);
    await tickClock(db);
    await db.query(DROP_RATES);
  };
  const turns = createTurns({
    db,
    name: "ledger",
    everyMs,
    work: runOnce,
    // Nothing is lost meanwhile: what is not filed is looked at, and the sums stay true.
    failed: (error) => log.warn({ err: error }, "the ledger could not be brought up to date"),
  });
  return {
    runOnce,
    start: turns.start,
    stop: () => {
      stopping.abort();
      return turns.stop();
    },
  };
}
