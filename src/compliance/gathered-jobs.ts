import type { JobSink } from "../evidence/index.ts";
import type { NewJob } from "../jobs/index.ts";
import type { Transaction } from "../platform/index.ts";

export interface GatheredJobs {
  /** Takes jobs; where they went is not known before `flush`. */
  sink: JobSink;
  /** Enqueues what the transaction has gathered, at once. */
  flush(tx: Transaction): Promise<void>;
}

/**
 * Jobs of many requests of one transaction, enqueued together at its end: lanes are hot, and two
 * transactions that took the same ones in another order would wait for each other.
 */
export function gatherJobs(jobs: JobSink): GatheredJobs {
  const gathered = new WeakMap<Transaction, NewJob[]>();
  return {
    sink: {
      enqueueIn: async (tx, some) => {
        gathered.set(tx, [...(gathered.get(tx) ?? []), ...some]);
        return some.map(() => ({ id: null, duplicate: false }));
      },
    },
    flush: async (tx) => {
      const some = gathered.get(tx) ?? [];
      gathered.delete(tx);
      if (some.length > 0) await jobs.enqueueIn(tx, some);
    },
  };
}
