import type { Queryable } from "../platform/index.ts";
import { placeOf, SHELF, SHOWN_STATES, type Standing } from "./shelf.ts";
import { QUEUES, type QueueName } from "./types.ts";

/** How many jobs a queue has in each state, as people see states. */
export type StateCounts = Record<Standing, number>;

/**
 * What is kept of them (job-counts.ts), the changes since, and what is not filed. `$1`: a workspace,
 * or null.
 */
const KEPT = `SELECT shelf, sum(count)::bigint AS count FROM (
  SELECT shelf, count FROM job_counts WHERE $1::uuid IS NULL OR workspace_id = $1
  UNION ALL
  SELECT shelf, change FROM job_count_changes WHERE $1::uuid IS NULL OR workspace_id = $1
  UNION ALL
  SELECT shelf, 1 FROM (
    SELECT j.workspace_id, ${SHELF} AS shelf FROM jobs j WHERE NOT j.filed ORDER BY j.id OFFSET 0
  ) unfiled WHERE $1::uuid IS NULL OR workspace_id = $1
) c GROUP BY shelf`;

/** More than this are not counted one by one; those beyond are told apart by the others. */
const MAX_COUNTED = 50_000;

/** Of what was enqueued for later: how many are not due, and how many are, up to a bound. */
const timesOf = (workspaceId: string | undefined) => {
  const tenant = workspaceId === undefined ? "$1::uuid IS NULL" : "j.workspace_id = $1";
  const count = (when: string) => `(SELECT count(*)::int FROM (
    SELECT FROM jobs j WHERE j.queue = q.queue AND j.state = 'available' AND j.run_at > j.created_at
      AND ${tenant} AND j.run_at ${when} now() LIMIT ${MAX_COUNTED}
  ) c)`;
  return `SELECT q.queue, ${count(">")} AS later, ${count("<=")} AS due
    FROM unnest($2::text[]) AS q(queue)`;
};

/** Counts of every queue; of one workspace, or of all of them. Reads as `walkInOrder` says. */
export async function queueCounts(
  on: Queryable,
  workspaceId?: string,
): Promise<Record<QueueName, StateCounts>> {
  const tenant = workspaceId ?? null;
  const kept = await on.query<{ shelf: number; count: string }>(KEPT, [tenant]);
  const times = await on.query<{ queue: string; later: number; due: number }>(
    timesOf(workspaceId),
    [tenant, QUEUES],
  );
  const none = () => Object.fromEntries(SHOWN_STATES.map((state) => [state, 0])) as StateCounts;
  const counts = Object.fromEntries(QUEUES.map((queue) => [queue, none()])) as Record<
    QueueName,
    StateCounts
  >;
  for (const { shelf, count } of kept) {
    const { queue, standing } = placeOf(shelf);
    counts[queue][standing] += Number(count);
  }
  for (const queue of QUEUES) {
    const time = times.find((row) => row.queue === queue) ?? { later: 0, due: 0 };
    counts[queue] = shownCounts(counts[queue], time);
  }
  return counts;
}

/**
 * Moves what was enqueued for later and is due from `scheduled` to `available`. Where one side was
 * not counted to its end, the other tells it; where neither was, as many as were counted are due.
 */
export function shownCounts(kept: StateCounts, times: { later: number; due: number }): StateCounts {
  const later = times.later < MAX_COUNTED ? times.later : Math.max(0, kept.scheduled - times.due);
  return {
    ...kept,
    available: kept.available + Math.max(0, kept.scheduled - later),
    scheduled: later,
  };
}

/** How many jobs of these queues and states there are. Undefined: any. */
export async function keptCount(
  on: Queryable,
  filter: { workspaceId?: string; queue?: QueueName; states?: readonly Standing[] },
): Promise<number> {
  const counts = await queueCounts(on, filter.workspaceId);
  const queues = filter.queue === undefined ? QUEUES : [filter.queue];
  const states = new Set(filter.states ?? SHOWN_STATES);
  let sum = 0;
  for (const queue of queues) for (const state of states) sum += counts[queue][state];
  return sum;
}
