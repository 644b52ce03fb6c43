import type { Queryable } from "../platform/index.ts";
import { NOT_PAUSED } from "./paused-queues.ts";
import type { QueueName } from "./types.ts";

/** Nobody's: of what is held, which keeps its time, there is never more than the pools have slots. */
const FREE = `(lease_until IS NULL OR lease_until < now()
        OR lease_until > now() + 2 * $3 * interval '1 ms')`;

/**
 * The sweep's question: which lanes are overdue without a live holder? It is the whole recovery
 * story (lost wakes, dead workers, an emptied or unreachable Redis), and it goes by `lanes_due`.
 * Nothing is locked: the lease decides who drains, and a lane that two sweeps see is drained once.
 *
 * Workspaces take turns: by age alone, one workspace's 20,000 overdue lanes would all come before
 * another's one. The first step hops through the index from workspace to workspace (one probe each,
 * whatever they have waiting, past what is held), the second reads the oldest lanes of those that are due: all that
 * may be taken of a single one, half as many of each where there are several.
 */
const DUE = `/* jobs.sweep */
WITH RECURSIVE waiting AS (
  (
    SELECT workspace_id, due_at FROM lanes
    WHERE queue = $1 AND due_at IS NOT NULL AND ${FREE}
    ORDER BY workspace_id, due_at LIMIT 1
  )
  UNION ALL
  SELECT next.workspace_id, next.due_at FROM waiting w CROSS JOIN LATERAL (
    SELECT workspace_id, due_at FROM lanes
    WHERE queue = $1 AND due_at IS NOT NULL AND workspace_id > w.workspace_id AND ${FREE}
    ORDER BY workspace_id, due_at LIMIT 1
  ) next
), due AS MATERIALIZED (
  SELECT workspace_id, due_at FROM waiting
  WHERE due_at <= now() AND ${NOT_PAUSED("$1")} ORDER BY due_at LIMIT $2
)
SELECT l.lane FROM due d CROSS JOIN LATERAL (
  SELECT lane, row_number() OVER (ORDER BY due_at) AS turn FROM (
    SELECT lane, due_at FROM lanes
    WHERE queue = $1 AND workspace_id = d.workspace_id AND due_at <= now() AND ${FREE}
    ORDER BY due_at LIMIT greatest(1, $2 / least(2, (SELECT count(*) FROM due)))
  ) oldest
) l
ORDER BY l.turn, d.due_at LIMIT $2`;

/** Names of at most `limit` due lanes: longest overdue first, workspaces in turn. */
export async function dueLanes(
  on: Queryable,
  queue: QueueName,
  limit: number,
  leaseMs: number,
): Promise<string[]> {
  const rows = await on.query<{ lane: string }>(DUE, [queue, limit, leaseMs]);
  return rows.map((row) => row.lane);
}
