import type { Transaction } from "../platform/index.ts";
import { IN_PLACE, SCHEDULED_ROW } from "./claim.ts";
import type { QueueName } from "./types.ts";

/**
 * Two ordering keys of a lane turn out to be one (a group's jobs wait under its old id and under its
 * new one): what waits joins the other key, where ids say the order. The lane's row is locked and
 * its `seq` raised, so nobody inserts in between and a holder's last look is not its last.
 */
const REKEY = `/* jobs.rekey */
WITH held AS MATERIALIZED (
  UPDATE lanes SET seq = seq + 1, changed_seq = seq + 1 WHERE queue = $1 AND lane = $2
  RETURNING queue, lane
), waiting AS MATERIALIZED (
  SELECT m.workspace_id, m.id FROM held h CROSS JOIN LATERAL (
    SELECT j.workspace_id, j.id FROM jobs j
    WHERE j.queue = h.queue AND j.lane = h.lane AND j.ordering_key = $3 AND ${IN_PLACE}
    UNION ALL
    SELECT j.workspace_id, j.id FROM jobs j
    WHERE j.queue = h.queue AND j.lane = h.lane AND j.ordering_key = $3 AND ${SCHEDULED_ROW}
  ) m
)
UPDATE jobs j SET ordering_key = $4, filed = false
FROM waiting w
WHERE j.workspace_id = w.workspace_id AND j.id = w.id
  AND j.state IN ('available', 'running', 'retryable')`;

export interface Rekey {
  queue: QueueName;
  lane: string;
  from: string;
  to: string;
}

/** Gives a lane's unfinished jobs of one key another. Locks the lane until `tx` ends: call it late. */
export async function rekeyJobs(tx: Transaction, { queue, lane, from, to }: Rekey): Promise<void> {
  if (from !== to) await tx.query(REKEY, [queue, lane, from, to]);
}

/** Keys that turned out to be one, as a drain learned it: while one is in flight, all are busy. */
export class SameKeys {
  /** Rises with each that is learned: what was read before may stand in another order now. */
  version = 0;
  private readonly groups = new Map<string, Set<string>>();

  join(a: string, b: string): void {
    this.version++;
    const group = new Set([...this.of(a), ...this.of(b)]);
    for (const key of group) this.groups.set(key, group);
  }

  /** All keys that are the same as `key`, itself included. */
  of(key: string): Iterable<string> {
    return this.groups.get(key) ?? [key];
  }
}
