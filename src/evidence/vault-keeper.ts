import { createTurns, type Database, type Logger, warnUnlessAway } from "../platform/index.ts";
import type { Storage } from "../storage/index.ts";
import { compareVault } from "./vault-comparison.ts";
import { dropOldParts } from "./vault-parts.ts";
import { sweepVault } from "./vault-sweep.ts";

export interface VaultKeeperOptions {
  db: Database;
  storage: Storage;
  partsFolder: string;
  log: Logger;
}

const SWEEP_EVERY_MS = 5 * 60_000;
const COMPARE_EVERY_MS = 24 * 3_600_000;
/** Asked so often whether the day is over; a process that runs for an hour may be the one. */
const LOOK_EVERY_MS = 15 * 60_000;
/** An upload takes hours at most. */
const UPLOAD_IS_OLD_MS = 24 * 3_600_000;

/**
 * What keeps the store and its rows together, in processes that have the store: the sweep every few
 * minutes and the comparison once a day, each in one process at a time; and in every process the parts
 * on its own disk.
 */
export function createVaultKeeper({ db, storage, partsFolder, log }: VaultKeeperOptions): {
  start(): void;
  stop(): Promise<void>;
} {
  const sweep = createTurns({
    db,
    name: "evidence: sweep of the store",
    everyMs: SWEEP_EVERY_MS,
    failed: warnUnlessAway(log, "the store of files could not be swept"),
    work: async () => {
      const swept = await sweepVault({ db, storage, isStopping: () => sweep.isStopping });
      const uploads = await storage.tidy(UPLOAD_IS_OLD_MS);
      if (swept.givenUp + swept.removed + uploads > 0) {
        log.info({ ...swept, uploads }, "the store of files was swept");
      }
      if (swept.failed > 0) log.warn({ failed: swept.failed }, "stored files could not be removed");
    },
  });
  const comparison = createTurns({
    db,
    name: "evidence: comparison of the store",
    everyMs: COMPARE_EVERY_MS,
    lookEveryMs: LOOK_EVERY_MS,
    failed: warnUnlessAway(log, "the store of files could not be compared"),
    work: async () => {
      const compared = await compareVault({ db, storage, isStopping: () => comparison.isStopping });
      if (compared.missing > 0) log.error({ ...compared }, "stored files are missing");
      else if (compared.orphans > 0) log.info({ ...compared }, "files without a row were removed");
    },
  });
  const services = [sweep, comparison, createPartsKeeper({ db, partsFolder, log })];
  return {
    start: () => {
      for (const service of services) service.start();
    },
    stop: async () => {
      await Promise.all(services.map((service) => service.stop()));
    },
  };
}

/**
 * Clears away parts that processes of this machine have left: in every process that writes some, since
 * no other machine sees its disk.
 */
export function createPartsKeeper({
  db,
  partsFolder,
  log,
  everyMs = SWEEP_EVERY_MS,
}: Omit<VaultKeeperOptions, "storage"> & { everyMs?: number }) {
  return everyNowAndThen(everyMs, async () => {
    try {
      await dropOldParts(db, partsFolder);
    } catch (error) {
      warnUnlessAway(log, "parts of files could not be cleared away")(error);
    }
  });
}

/** In this process, whatever others do. `work` throws nothing. */
function everyNowAndThen(everyMs: number, work: () => Promise<void>) {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  return {
    start: () => {
      timer ??= setInterval(() => {
        running ??= work().finally(() => {
          running = undefined;
        });
      }, everyMs);
      timer.unref();
    },
    stop: async () => {
      clearInterval(timer);
      await running;
    },
  };
}
