import { idempotencyRetention } from "../src/api/index.ts";
import {
  createCountKeeper,
  DEFAULT_JOB_RETENTION,
  type JobRetention,
  jobRetentionRules,
} from "../src/jobs/index.ts";
import { createRetention } from "../src/platform/index.ts";
import type { System } from "./system.ts";

/** What every process does beside its own work; the database decides whose turn it is. */
export function startBackground({ db, log, config }: System): { stop(): Promise<void> } {
  const retention = createRetention({
    db,
    log,
    rules: [...jobRetentionRules(timesOf(config.retention)), idempotencyRetention],
  });
  const counts = createCountKeeper({ db, log });
  retention.start();
  counts.start();
  return { stop: async () => void (await Promise.all([retention.stop(), counts.stop()])) };
}

function timesOf(settings: Partial<JobRetention> = {}): JobRetention {
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  return { ...DEFAULT_JOB_RETENTION, ...Object.fromEntries(given) };
}
