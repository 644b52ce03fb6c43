import type { BackoffPolicy } from "./backoff.ts";
import type { LaneOrder, QueueName } from "./types.ts";

export interface QueuePolicy {
  order: LaneOrder;
  maxAttempts: number;
  backoff: BackoffPolicy;
}

const patient: BackoffPolicy = { baseMs: 1_000, capMs: 60_000 };

/**
 * How each queue orders and retries. Outbound: what is to be sent again when nobody knows whether it
 * arrived outlives an outage of ten minutes or so; ten attempts with full jitter were once used up in
 * 41 s, by two outages of twenty (`npm run chaos`). What certainly did not leave spends none. Ingest waits at most 51.5 s in all (0.5 + 1 + 2 + 4 + 8 + 16
 * + 20), because a head that waits for its retry holds its chat; then it is a dead letter.
 */
export const QUEUE_POLICIES: Record<QueueName, QueuePolicy> = {
  ingest: { order: "strict", maxAttempts: 8, backoff: { baseMs: 500, capMs: 20_000 } },
  outbound: { order: "per-key", maxAttempts: 25, backoff: patient },
  evidence: { order: "free", maxAttempts: 10, backoff: patient },
  backfill: { order: "strict", maxAttempts: 20, backoff: patient },
  schedule: { order: "strict", maxAttempts: 10, backoff: patient },
  delivery: { order: "free", maxAttempts: 12, backoff: patient },
};
