import { type Database, type Logger, takeTurn } from "../platform/index.ts";
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

/** Runs in every process; each time one of them does the work, whichever comes first. */
export function createLedgerKeeper({
  db,
  log,
  everyMs = 2_000,
}: LedgerKeeperOptions): LedgerKeeper {
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  const runOnce = async () => {
    const limit = Math.max(MIN_FILED, SHARE_A_RUN * (await filingBehind(db)));
    await fileJobs(db, { limit, signal: stopping.signal });
    await foldCounts(db);
    await tickClock(db);
    await db.query(DROP_RATES);
  };
  return {
    runOnce,
    start: () => {
      timer ??= setInterval(() => {
        running ??= takeTurn(db, "ledger", 0.9 * everyMs)
          .then((isTurn) => (isTurn ? runOnce() : undefined))
          // Nothing is lost meanwhile: what is not filed is looked at, and the sums stay true.
          .catch((error) => log.warn({ err: error }, "the ledger could not be brought up to date"))
          .finally(() => {
            running = undefined;
          });
      }, everyMs);
    },
    stop: async () => {
      stopping.abort();
      clearInterval(timer);
      await running;
    },
  };
}
