import type { Queryable } from "../platform/index.ts";
import { NOT_PAUSED } from "./paused-queues.ts";
import type { QueueName } from "./types.ts";

/**
 * The sweep's question: which lanes are overdue without a live holder? It is the whole recovery
 * story (lost wakes, dead workers, an emptied or unreachable Redis), and it goes by `lanes_due`.
 * Nothing is locked: the lease decides who drains, and a lane that two sweeps see is drained once.
 */
const DUE = `/* jobs.sweep */
SELECT lane FROM lanes
WHERE queue = $1 AND due_at <= now()
  AND (lease_until IS NULL OR lease_until < now() OR lease_until > now() + 2 * $3 * interval '1 ms')
  AND ${NOT_PAUSED("$1")}
ORDER BY due_at LIMIT $2`;

/** Names of at most `limit` due lanes, longest overdue first. */
export async function dueLanes(
  on: Queryable,
  queue: QueueName,
  limit: number,
  leaseMs: number,
): Promise<string[]> {
  const rows = await on.query<{ lane: string }>(DUE, [queue, limit, leaseMs]);
  return rows.map((row) => row.lane);
}
