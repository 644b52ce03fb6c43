import { fewRows, groupBy, type Transaction } from "../platform/index.ts";
import { touchLanes } from "./ledger.ts";
import type { JobId, QueueName } from "./types.ts";
import type { Wake } from "./wakes.ts";

/** A job whose room keeps its id. */
export interface KnownJob {
  workspaceId: string;
  id: JobId;
}

export interface LaneOfJobs {
  queue: QueueName;
  lane: string;
  workspaceId: string;
  /** Somebody waits for what is changed there. */
  urgent?: boolean;
}

/** Why a job is over, as it shows it. */
export interface JobWords {
  errorClass: string;
  error: string;
}

/**
 * A room's own changes of its jobs that are not in anybody's hands, in the transaction in which it
 * changes what it keeps beside them, and under the rows of their lanes: nothing of these lanes begins
 * before that transaction ends. A job that runs is never touched.
 */
export interface HeldLanes {
  /** Answers which of them waited, and are cancelled now. */
  cancel(jobs: readonly KnownJob[], words: JobWords): Promise<Set<JobId>>;
  /**
   * Gives a waiting job another time or another priority; it keeps its place among those that are
   * due. `runAt` null: now. False: it does not wait.
   */
  move(job: KnownJob, to: { runAt?: Date | null; priority?: number }): Promise<boolean>;
  /** Makes a dead letter, or a cancelled job, due with all its attempts. False: it is neither, or gone. */
  revive(job: KnownJob): Promise<boolean>;
  /** What a person found out about a dead letter: that it was done after all (null), or why it is over. */
  settle(job: KnownJob, words: JobWords | null): Promise<void>;
}

const WAITS = "j.state IN ('available', 'retryable')";
const IS_OVER = "j.state IN ('discarded', 'cancelled')";

const CANCEL = `/* jobs.cancel-known */
UPDATE jobs j SET filed = false, state = 'cancelled', finished_at = now(), error_class = t.error_class,
  error = t.error
FROM (
  SELECT id, workspace_id, $3::text AS error_class, $4::text AS error
  FROM unnest($1::uuid[], $2::bigint[]) AS t(workspace_id, id) ${fewRows("$1")}
) t
WHERE j.workspace_id = t.workspace_id AND j.id = t.id AND (${WAITS}) IS TRUE
RETURNING j.id`;

/**
 * With a time of its own it is no retry any more: one that waits for its retry holds the order of its
 * key, and one that is moved to next week must not.
 */
const MOVE = `/* jobs.move */
UPDATE jobs j SET filed = false, priority = coalesce($3::smallint, j.priority),
  state = CASE WHEN $4 THEN 'available' ELSE j.state END,
  run_at = CASE WHEN $4 THEN coalesce($5::timestamptz, now()) ELSE j.run_at END,
  error_class = CASE WHEN $4 THEN NULL ELSE j.error_class END,
  error = CASE WHEN $4 THEN NULL ELSE j.error END
WHERE j.workspace_id = $1 AND j.id = $2 AND ${WAITS}
RETURNING 1 AS yes`;

const REVIVE = `/* jobs.revive */
UPDATE jobs j SET filed = false, state = 'available', attempts = 0, deaths = 0, run_at = now(),
  finished_at = NULL
WHERE j.workspace_id = $1 AND j.id = $2 AND ${IS_OVER}
RETURNING 1 AS yes`;

const SETTLE = `/* jobs.settle */
UPDATE jobs j SET filed = false, state = $3, error_class = $4, error = $5
WHERE j.workspace_id = $1 AND j.id = $2 AND ${IS_OVER}`;

export interface WaitingJobs {
  /**
   * Locks the lanes until `tx`, a workspace's or the engine's, ends; whoever drains them looks again
   * after its commit. Lanes are hot: call it late.
   */
  holdIn(tx: Transaction, lanes: readonly LaneOfJobs[]): Promise<HeldLanes>;
}

export function createWaitingJobs(wake: Wake): WaitingJobs {
  return {
    holdIn: async (tx, lanes) => {
      // Lanes and jobs are the engine's: no workspace's own transaction may write there.
      const on = tx.engine;
      const rows = lanes.map(({ queue, lane, workspaceId }) => ({
        queue,
        lane,
        workspace_id: workspaceId,
      }));
      await touchLanes(on, rows);
      tx.afterCommit(() => {
        for (const [queue, ofQueue] of groupBy(lanes, (lane) => lane.queue)) wake(queue, ofQueue);
      });
      return {
        cancel: async (jobs, { errorClass, error }) => {
          if (jobs.length === 0) return new Set();
          const cancelled = await on.query<{ id: JobId }>(CANCEL, [
            jobs.map((job) => job.workspaceId),
            jobs.map((job) => job.id),
            errorClass,
            error,
          ]);
          return new Set(cancelled.map(({ id }) => id));
        },
        move: async ({ workspaceId, id }, { runAt, priority }) => {
          const params = [workspaceId, id, priority ?? null, runAt !== undefined, runAt ?? null];
          return (await on.query(MOVE, params)).length > 0;
        },
        revive: async ({ workspaceId, id }) =>
          (await on.query(REVIVE, [workspaceId, id])).length > 0,
        settle: async ({ workspaceId, id }, words) => {
          const state = words === null ? "completed" : "discarded";
          const params = [workspaceId, id, state, words?.errorClass ?? null, words?.error ?? null];
          await on.query(SETTLE, params);
        },
      };
    },
  };
}
