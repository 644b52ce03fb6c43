import { fewRows, type Transaction } from "../platform/index.ts";
import type { Lease } from "./lease.ts";
import type { Job } from "./types.ts";

/** What a drain has done in one lane, to be committed. */
export interface LaneWork {
  lease: Lease;
  /** Jobs whose effects are in the transaction. */
  jobs: Job[];
  /** `seq` as the claim read it, to hand the lane back if nothing is new; null keeps the lease. */
  releaseSeq: string | null;
}

export interface FinishedLanes {
  /** Lanes whose lease is still this holder's. When one is missing, nothing was written. */
  held: Set<string>;
  /** Lanes that were handed back: the others of those asked for have news. */
  released: Set<string>;
  /** Jobs that were still live and are completed now. */
  completed: number;
}

/**
 * The fence, the completions and the hand-back in one statement, the last before the commit: from
 * here on the lanes' rows are locked, in the order of their names. `held` is read whole before
 * anything is written (the subquery that counts it), and nothing is unless every lane is held.
 */
const FINISH = `/* jobs.finish */
WITH work AS MATERIALIZED (
  SELECT $1::text AS queue, lane, epoch, release_seq
  FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS w(lane, epoch, release_seq)
  ${fewRows("$2")}
), held AS MATERIALIZED (
  SELECT l.queue, l.lane, l.seq, w.release_seq FROM work w
  JOIN lanes l ON l.queue = w.queue AND l.lane = w.lane AND l.epoch = w.epoch
  WHERE l.owner = $5
  ORDER BY l.lane
  FOR NO KEY UPDATE OF l
), done AS MATERIALIZED (
  SELECT workspace_id, id FROM unnest($6::uuid[], $7::bigint[]) AS d(workspace_id, id)
  WHERE (SELECT count(*) FROM held) = cardinality($2::text[])
  ${fewRows("$6")}
), completed AS (
  UPDATE jobs j
  SET state = 'completed', filed = false, attempts = j.attempts + 1, worker = $8, run_ms = $9::int,
    started_at = clock_timestamp() - $9::int * interval '1 ms', finished_at = clock_timestamp(),
    error_class = NULL, error = NULL
  FROM done d
  WHERE j.workspace_id = d.workspace_id AND j.id = d.id
    AND j.state IN ('available', 'running', 'retryable')
  RETURNING j.id
), released AS (
  UPDATE lanes l SET owner = NULL, lease_until = NULL, due_at = NULL
  FROM held h
  WHERE (SELECT count(*) FROM held) = cardinality($2::text[])
    AND l.queue = h.queue AND l.lane = h.lane AND h.seq = h.release_seq
  RETURNING l.lane
)
SELECT (SELECT array_agg(lane) FROM held) AS held,
  (SELECT count(*) FROM completed)::int AS completed,
  (SELECT array_agg(lane) FROM released) AS released`;

/**
 * Ends a drain's transaction: checks the leases, completes the jobs, hands lanes back. Lanes of one
 * queue and one owner, each once. What precedes it in the transaction is only good if every lane is
 * still held and every job was still live: otherwise the caller must roll back.
 */
export async function finishLanes(
  tx: Transaction,
  lanes: readonly LaneWork[],
  { worker, runMs }: { worker: string; runMs: number },
): Promise<FinishedLanes> {
  const jobs = lanes.flatMap((lane) => lane.jobs);
  const [row] = await tx.query<{
    held: string[] | null;
    completed: number;
    released: string[] | null;
  }>(FINISH, [
    lanes[0]?.lease.queue,
    lanes.map(({ lease }) => lease.lane),
    lanes.map(({ lease }) => lease.epoch),
    lanes.map(({ releaseSeq }) => releaseSeq),
    lanes[0]?.lease.owner,
    jobs.map((job) => job.workspaceId),
    jobs.map((job) => job.id),
    worker,
    Math.round(runMs),
  ]);
  return {
    held: new Set(row?.held ?? []),
    released: new Set(row?.released ?? []),
    completed: row?.completed ?? 0,
  };
}
