import type { Queryable } from "../platform/index.ts";
import { JOB_STATES, type JobState, QUEUES, type QueueName } from "./types.ts";

export interface Percentiles {
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

export interface QueueStats {
  name: QueueName;
  counts: Record<JobState | "scheduled", number>;
  /** Age of the oldest job that is due and not finished: grows when the queue stalls. */
  oldestWaitingMs: number | null;
  /** Jobs completed a second, over the last minute. */
  perSecond: number;
  /** From due to begun, of what finished in the last minute. */
  waitMs: Percentiles;
  runMs: Percentiles;
}

const COUNTS = `/* jobs.counts */
SELECT queue,
  CASE WHEN state = 'available' AND run_at > now() THEN 'scheduled' ELSE state END AS state,
  count(*)::int AS count,
  max(extract(epoch FROM now() - run_at) * 1000)
    FILTER (WHERE state IN ('available', 'running', 'retryable') AND run_at <= now())
    ::double precision AS oldest_ms
FROM jobs WHERE $1::uuid IS NULL OR workspace_id = $1
GROUP BY 1, 2`;

/** What waited longer than ten minutes is left out: `created_at` finds the rest cheaply. */
const LATENCIES = `/* jobs.latencies */
SELECT queue, count(*)::int AS finished,
  percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP
    (ORDER BY greatest(0, extract(epoch FROM started_at - run_at) * 1000)) AS wait_ms,
  percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY run_ms) AS run_ms
FROM jobs
WHERE state = 'completed' AND finished_at > now() - interval '60 s'
  AND created_at > now() - interval '10 min' AND ($1::uuid IS NULL OR workspace_id = $1)
GROUP BY queue`;

const WINDOW_S = 60;

/** Every queue's figures; of one workspace, or of all of them. */
export async function queueStats(db: Queryable, workspaceId?: string): Promise<QueueStats[]> {
  const [counts, latencies] = await Promise.all([
    db.query<{ queue: string; state: JobState; count: number; oldest_ms: number | null }>(COUNTS, [
      workspaceId ?? null,
    ]),
    db.query<{ queue: string; finished: number; wait_ms: number[]; run_ms: number[] }>(LATENCIES, [
      workspaceId ?? null,
    ]),
  ]);
  return QUEUES.map((name) => {
    const own = counts.filter((row) => row.queue === name);
    const latency = latencies.find((row) => row.queue === name);
    const states = [...JOB_STATES, "scheduled" as const];
    const waits = own.flatMap((row) => row.oldest_ms ?? []);
    return {
      name,
      counts: Object.fromEntries(
        states.map((state) => [state, own.find((row) => row.state === state)?.count ?? 0]),
      ) as QueueStats["counts"],
      oldestWaitingMs: waits.length === 0 ? null : Math.round(Math.max(...waits)),
      perSecond: Math.round(((latency?.finished ?? 0) / WINDOW_S) * 100) / 100,
      waitMs: percentiles(latency?.wait_ms),
      runMs: percentiles(latency?.run_ms),
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
