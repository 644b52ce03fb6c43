import type { Transactor } from "../platform/index.ts";
import { inLedger } from "./own-ledger.ts";
import { pausedQueues } from "./paused-queues.ts";
import { queueCounts } from "./queue-counts.ts";
import { placeOf, SHELF, type Standing, shelfOf } from "./shelf.ts";
import { QUEUES, type QueueName } from "./types.ts";
import { walkInOrder } from "./walk-in-order.ts";

export interface Percentiles {
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

export interface QueueStats {
  name: QueueName;
  /** An operator has stopped it: jobs are accepted and wait. */
  paused: boolean;
  counts: Record<Standing, number>;
  /** Age of the oldest job that is due and not finished: grows when the queue stalls. */
  oldestWaitingMs: number | null;
  /** Jobs completed a second, over the last minute. */
  perSecond: number;
  /** From due to begun, of the newest thousand that were completed in the last minute. */
  waitMs: Percentiles;
  runMs: Percentiles;
}

/**
 * Each statement reads what it shows: counts are kept (queue-counts.ts), the oldest and the newest
 * stand at the ends of indexes, or among the little that is not filed. `$1` is a workspace, or null
 * for all.
 */
const ofWorkspace = (workspaceId: string | undefined) =>
  workspaceId === undefined ? "$1::uuid IS NULL" : "j.workspace_id = $1";

/** As the index that leads there has it (migrations/0005_ledger.ts). */
const onShelf = (workspaceId: string | undefined, shelf: string) =>
  `j.filed AND ${workspaceId === undefined ? "(j.shelf + 0)" : "j.shelf"} = ${shelf}
      AND ${ofWorkspace(workspaceId)}`;

/** What that index has first, with its order said as in filter.ts. */
const inOrderOf = (workspaceId: string | undefined, direction: "ASC" | "DESC") =>
  `${workspaceId === undefined ? "(j.shelf + 0)" : "j.shelf"} ${direction}, j.id ${direction}`;

/** Read once a statement, whole. */
const UNFILED = `unfiled AS MATERIALIZED (
  SELECT j.workspace_id, j.queue, j.state, ${SHELF} AS shelf, j.run_at,
    j.started_at, j.finished_at, j.run_ms
  FROM jobs j WHERE NOT j.filed ORDER BY j.id DESC
)`;

/**
 * The oldest of each standing that waits. What is to run at once is due in the order of ids; what
 * has a time of its own has an index by time. Of what runs or was retried, the first few hundred.
 */
const oldest = (workspaceId: string | undefined) => {
  const first = (shelf: string, take: number) => `
    SELECT j.run_at FROM jobs j WHERE ${onShelf(workspaceId, shelf)}
    ORDER BY ${inOrderOf(workspaceId, "ASC")} LIMIT ${take}`;
  return `WITH ${UNFILED}
    SELECT q.queue, (extract(epoch FROM now() - min(w.run_at)) * 1000)::double precision AS ms
    FROM unnest($2::text[], $3::smallint[], $4::smallint[], $5::smallint[])
      AS q(queue, available, running, retryable)
    CROSS JOIN LATERAL (
      (${first("q.available", 1)})
      UNION ALL (${first("q.running", 500)})
      UNION ALL (${first("q.retryable", 500)})
      UNION ALL (SELECT j.run_at FROM jobs j
        WHERE j.queue = q.queue AND j.state = 'available' AND j.run_at > j.created_at
          AND ${ofWorkspace(workspaceId)} ORDER BY j.run_at LIMIT 1)
      UNION ALL (SELECT min(j.run_at) FROM unfiled j
        WHERE j.shelf IN (q.available, q.running, q.retryable) AND ${ofWorkspace(workspaceId)})
    ) w
    WHERE w.run_at <= now() GROUP BY q.queue`;
};

const RATES = `WITH ${UNFILED}
SELECT shelf, sum(completed)::int AS completed FROM (
  SELECT shelf, completed FROM job_rates
  WHERE slice > now() - interval '60 s' AND ($1::uuid IS NULL OR workspace_id = $1)
  UNION ALL
  SELECT shelf, 1 FROM unfiled
  WHERE finished_at > now() - interval '60 s' AND ($1::uuid IS NULL OR workspace_id = $1)
) r WHERE shelf = ANY ($2::smallint[]) GROUP BY shelf`;
const RATE_WINDOW_S = 60;

const latencies = (workspaceId: string | undefined) => `WITH ${UNFILED}
  SELECT q.queue,
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP
      (ORDER BY greatest(0, extract(epoch FROM j.started_at - j.run_at) * 1000)) AS wait_ms,
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY j.run_ms) AS run_ms
  FROM unnest($2::text[], $3::smallint[]) AS q(queue, completed)
  CROSS JOIN LATERAL (
    (SELECT j.started_at, j.run_at, j.run_ms, j.finished_at FROM unfiled j
      WHERE j.shelf = q.completed AND ${ofWorkspace(workspaceId)} LIMIT 1000)
    UNION ALL
    (SELECT j.started_at, j.run_at, j.run_ms, j.finished_at FROM jobs j
      WHERE ${onShelf(workspaceId, "q.completed")}
      ORDER BY ${inOrderOf(workspaceId, "DESC")} LIMIT 1000)
    LIMIT 1000
  ) j
  WHERE j.finished_at > now() - interval '60 s'
  GROUP BY q.queue`;

/** Every queue's figures; of one workspace, or of all of them. */
export async function queueStats(db: Transactor, workspaceId?: string): Promise<QueueStats[]> {
  const tenant = workspaceId ?? null;
  const shelves = (standing: Standing) => QUEUES.map((queue) => shelfOf(queue, standing));
  const completedShelves = shelves("completed");
  const { counts, ages, rates, delays, paused } = await inLedger(db, workspaceId, async (tx) => {
    await walkInOrder(tx);
    return {
      counts: await queueCounts(tx, workspaceId),
      ages: await tx.query<{ queue: string; ms: number }>(oldest(workspaceId), [
        tenant,
        QUEUES,
        shelves("available"),
        shelves("running"),
        shelves("retryable"),
      ]),
      rates: await tx.query<{ shelf: number; completed: number }>(RATES, [
        tenant,
        completedShelves,
      ]),
      delays: await tx.query<{ queue: string; wait_ms: number[]; run_ms: number[] }>(
        latencies(workspaceId),
        [tenant, QUEUES, completedShelves],
      ),
      paused: await pausedQueues(tx),
    };
  });
  return QUEUES.map((name) => {
    const age = ages.find((row) => row.queue === name)?.ms;
    const completed = rates.find((row) => placeOf(row.shelf).queue === name)?.completed ?? 0;
    const delay = delays.find((row) => row.queue === name);
    return {
      name,
      paused: paused.includes(name),
      counts: counts[name],
      oldestWaitingMs: age === undefined ? null : Math.round(Math.max(0, age)),
      perSecond: Math.round((completed / RATE_WINDOW_S) * 100) / 100,
      waitMs: percentiles(delay?.wait_ms),
      runMs: percentiles(delay?.run_ms),
    };
  });
}

function percentiles(values: number[] | undefined): Percentiles {
  const at = (index: number) => {
    const value = values?.[index];
    return value === undefined ? null : Math.round(value * 10) / 10;
  };
  return { p50: at(0), p95: at(1), p99: at(2) };
}
