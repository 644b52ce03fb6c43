import type { Database, Transaction } from "../platform/index.ts";
import { claimedJob, JOB_COLUMNS, type JobRow } from "./claim.ts";
import type { Job, JobId, QueueName } from "./types.ts";

/** The lane's row is held while a batch is written, about 80 ms: 100,000 took 4 s on two busy cores. */
const BATCH_JOBS = 2_000;

/** Locks the lane, with news for whoever holds its lease. */
const TOUCH = `/* jobs.touch-lane */
UPDATE lanes SET seq = seq + 1 WHERE queue = $1 AND lane = $2`;

/** Begins after the last one: what is cancelled already is not stepped over again. */
const CANCEL = `/* jobs.cancel-lane */
UPDATE jobs j SET filed = false, state = 'cancelled', finished_at = now(), error_class = $4,
  error = $5
FROM (
  SELECT workspace_id, id FROM jobs
  WHERE queue = $1 AND lane = $2 AND id > $3
    AND state IN ('available', 'running', 'retryable') AND state <> 'running'
  ORDER BY id LIMIT ${BATCH_JOBS}
) waiting
WHERE j.workspace_id = waiting.workspace_id AND j.id = waiting.id
RETURNING ${JOB_COLUMNS}, NULL AS body`;

export interface LaneCancellation {
  queue: QueueName;
  lane: string;
  /** What the cancelled jobs show. */
  errorClass: string;
  error: string;
  /** Told of each batch, in its own transaction: what a room keeps beside its jobs. */
  onCancelled(tx: Transaction, jobs: Job[]): Promise<void>;
}

/**
 * Cancels what waits in a lane whose owner is gone, in batches that each commit by themselves, and
 * answers how many; what runs at the moment is left to its own end. Stops after `withinMs`: what is
 * left then stays as it was, for the lane's handler.
 */
export async function cancelLane(
  db: Database,
  lane: LaneCancellation,
  { withinMs }: { withinMs: number },
): Promise<number> {
  const untilMs = performance.now() + withinMs;
  let cancelled = 0;
  let afterId: JobId = "0";
  do {
    const jobs = await db.transaction(async (tx) => {
      await tx.query(TOUCH, [lane.queue, lane.lane]);
      const params = [lane.queue, lane.lane, afterId, lane.errorClass, lane.error];
      const batch = (await tx.query<JobRow>(CANCEL, params)).map(claimedJob);
      if (batch.length > 0) await lane.onCancelled(tx, batch);
      return batch;
    });
    cancelled += jobs.length;
    if (jobs.length < BATCH_JOBS) break;
    afterId = jobs.reduce((last, { id }) => (BigInt(id) > BigInt(last) ? id : last), afterId);
  } while (performance.now() < untilMs);
  return cancelled;
}
