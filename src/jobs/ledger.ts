import {
  type Database,
  fewRows,
  groupBy,
  isLockTimeout,
  type Queryable,
  type Transaction,
} from "../platform/index.ts";
import { claimedJob, JOB_COLUMNS, type JobRow } from "./claim.ts";
import type { WhichJobs } from "./filter.ts";
import { LOCK_ORDER } from "./lock-order.ts";
import { overdueLanes, pausedQueues, pauseQueue, resumeQueue } from "./paused-queues.ts";
import { type Count, countJobs, type FoundJob, findJobs } from "./search.ts";
import { SHOWN_STATES, type Standing } from "./shelf.ts";
import type { Job, JobHooks, QueueName } from "./types.ts";
import type { Wake } from "./wakes.ts";

/** What people do to jobs by hand. Running ones are always left alone. */
export const LEDGER_ACTIONS = ["retry", "discard", "cancel", "runNow"] as const;
export type LedgerAction = (typeof LEDGER_ACTIONS)[number];

interface ActionRule {
  /** Which jobs it is for, as people see their states. */
  from: readonly Standing[];
  /** Of many, where no state is named: those of them that it is for. Default: all. */
  fromMany?: readonly Standing[];
  hook: keyof JobHooks;
  update: string;
}

/** Sets columns of the jobs $1, $2 (workspaces, ids) that are still as the action wants them. */
const update = (tag: string, set: string, still: string) => `/* jobs.${tag} */
UPDATE jobs j SET filed = false, ${set}
FROM (
  SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS t(workspace_id, id) ${fewRows("$1")}
) t
WHERE j.workspace_id = t.workspace_id AND j.id = t.id AND ${still}
RETURNING ${JOB_COLUMNS}, NULL AS body`;

const WAITING = ["available", "scheduled", "retryable"] as const;

const RULES: Record<LedgerAction, ActionRule> = {
  retry: {
    from: ["discarded", "cancelled"],
    // What was cancelled is not wanted: somebody has said so, and is not overruled by the way.
    fromMany: ["discarded"],
    hook: "retried",
    update: update(
      "retry",
      "state = 'available', attempts = 0, deaths = 0, run_at = now(), finished_at = NULL",
      "j.state IN ('discarded', 'cancelled')",
    ),
  },
  discard: {
    from: WAITING,
    hook: "discarded",
    update: update(
      "discard",
      `state = 'discarded', finished_at = now(), error_class = 'DiscardedByHand',
       error = 'discarded by hand'`,
      "j.state IN ('available', 'retryable')",
    ),
  },
  cancel: {
    from: WAITING,
    hook: "cancelled",
    update: update(
      "cancel",
      "state = 'cancelled', finished_at = now()",
      "j.state IN ('available', 'retryable')",
    ),
  },
  runNow: {
    from: ["scheduled", "retryable"],
    hook: "ranNow",
    update: update(
      "run-now",
      "run_at = now()",
      "j.state IN ('available', 'retryable') AND j.run_at > now()",
    ),
  },
};

/** Lanes are held while a batch is written: small batches, so that drains and inserts don't feel it. */
const BATCH_JOBS = 250;
const DEFAULT_LIMIT = 10_000;
/** One call ends after this time, whatever is left: its caller waits. */
const CALL_MS = 5_000;
/**
 * A batch waits this long for a lane that somebody has locked, since its other lanes wait with it.
 * Then each goes by itself, and those that are locked are left.
 */
const BATCH_LOCK_TIMEOUT_MS = 250;
const LANE_LOCK_TIMEOUT_MS = 50;

const TOUCH_LANES = `/* jobs.touch-lanes */
INSERT INTO lanes AS l (queue, lane, workspace_id, seq, changed_seq, due_at)
SELECT queue, lane, workspace_id, 1, 1, now()
FROM unnest($1::text[], $2::text[], $3::uuid[]) AS t(queue, lane, workspace_id)
ORDER BY array_position($4::text[], queue), lane
ON CONFLICT (queue, lane) DO UPDATE
  SET seq = l.seq + 1, changed_seq = l.seq + 1, due_at = least(l.due_at, now())`;

/** What a change by hand came to. */
export interface Changed {
  changed: number;
  /** Matching jobs that run now and were left alone. */
  running: Count;
  /** Jobs that match and could be changed by another call. */
  left: Count;
}

/** Told of changes by hand, each in its own transaction. */
export interface LedgerRecorder {
  /** `which`: what was asked for; `changed`: the jobs of one batch. */
  jobsChanged(
    tx: Transaction,
    change: { action: LedgerAction; which: WhichJobs; changed: readonly Job[] },
  ): Promise<void>;
  queueSwitched(tx: Transaction, queue: QueueName, to: "paused" | "resumed"): Promise<void>;
}

export interface LedgerOptions {
  db: Database;
  wake: Wake;
  hooks: Partial<Record<QueueName, JobHooks>>;
  recorder?: LedgerRecorder;
}

/**
 * Changes by hand: of jobs, one or all that match, and of whole queues.
 *
 * A job is changed under its lane's row, as by everybody who writes in a lane. `seq` is raised and
 * `due_at` lowered, so a drain that holds the lane looks again before it hands it back, a strict
 * lane whose head was taken away goes on at once, and a commit that had counted on a job that is
 * cancelled meanwhile rolls back. What a room keeps beside its jobs changes in the same transaction
 * (`JobHooks`).
 */
export class Ledger {
  private readonly options: LedgerOptions;

  constructor(options: LedgerOptions) {
    this.options = options;
  }

  /**
   * Gives dead jobs their attempts back and makes them due; cancelled ones where they are named, by
   * their state or one by its id. Answers how many.
   */
  async retry(which: WhichJobs): Promise<number> {
    return (await this.change("retry", which)).changed;
  }

  /** Makes waiting jobs dead letters. Answers how many. */
  async discard(which: WhichJobs): Promise<number> {
    return (await this.change("discard", which)).changed;
  }

  /** Cancels waiting jobs. Answers how many. */
  async cancel(which: WhichJobs): Promise<number> {
    return (await this.change("cancel", which)).changed;
  }

  /** Makes scheduled and retryable jobs due now; no attempt is given or taken. Answers how many. */
  async runNow(which: WhichJobs): Promise<number> {
    return (await this.change("runNow", which)).changed;
  }

  /**
   * Changes what matches, oldest first, in batches that each commit by themselves, until `limit`
   * (default 10 000) are changed or five seconds have gone by: what is left is in the answer, and
   * the call can be repeated. Jobs of a lane that somebody has locked meanwhile are left.
   */
  async change(
    action: LedgerAction,
    which: WhichJobs,
    { limit = DEFAULT_LIMIT }: { limit?: number } = {},
  ): Promise<Changed> {
    const { db } = this.options;
    const endsAtMs = performance.now() + CALL_MS;
    const wanted = changeable(action, which);
    let changed = 0;
    let afterId: string | undefined;
    while (changed < limit && performance.now() < endsAtMs) {
      const size = Math.min(BATCH_JOBS, limit - changed);
      const jobs = await findJobs(db, wanted, { limit: size, order: "oldest", afterId });
      if (jobs.length === 0) break;
      changed += await this.changeFound({ action, which }, jobs, endsAtMs);
      afterId = jobs.at(-1)?.id;
      if (jobs.length < size) break;
    }
    const isOne = which.id !== undefined;
    return {
      changed,
      running: await this.countRunning(which),
      left: isOne ? { count: 0, capped: false } : await this.countMatching(which, action),
    };
  }

  /** How many jobs an action would change; see `countJobs` for how far it counts. */
  async countMatching(which: WhichJobs, action: LedgerAction): Promise<Count> {
    return countJobs(this.options.db, changeable(action, which));
  }

  /** How many matching jobs run now, which no action touches. */
  async countRunning(which: WhichJobs): Promise<Count> {
    return countJobs(this.options.db, only(which, ["running"]));
  }

  /** Stops a queue everywhere within a second: see paused-queues.ts. False: it was paused already. */
  async pauseQueue(name: QueueName): Promise<boolean> {
    const { db, recorder } = this.options;
    return db.transaction(async (tx) => {
      const paused = await pauseQueue(tx, name);
      if (paused) await recorder?.queueSwitched(tx, name, "paused");
      return paused;
    });
  }

  /** Lets a queue go on, and wakes its waiting lanes. False: it was not paused. */
  async resumeQueue(name: QueueName): Promise<boolean> {
    const { db, recorder, wake } = this.options;
    const resumed = await db.transaction(async (tx) => {
      if (!(await resumeQueue(tx, name))) return false;
      await recorder?.queueSwitched(tx, name, "resumed");
      return true;
    });
    if (resumed) wake(name, await overdueLanes(db, name));
    return resumed;
  }

  async pausedQueues(): Promise<QueueName[]> {
    return pausedQueues(this.options.db);
  }

  /** All in one transaction, or lane by lane where one is locked; one lane alone holds nobody. */
  private async changeFound(
    change: HandChange,
    found: FoundJob[],
    endsAtMs: number,
  ): Promise<number> {
    const lanes = [...groupBy(found, ({ queue, lane }) => `${queue} ${lane}`).values()];
    if (lanes.length === 1) return this.changeBatch(change, found, CALL_MS);
    try {
      return await this.changeBatch(change, found, BATCH_LOCK_TIMEOUT_MS);
    } catch (error) {
      if (!isLockTimeout(error)) throw error;
    }
    let changed = 0;
    for (const jobs of lanes) {
      if (performance.now() >= endsAtMs) break;
      changed += await this.changeBatch(change, jobs, LANE_LOCK_TIMEOUT_MS).catch((error) => {
        if (isLockTimeout(error)) return 0;
        throw error;
      });
    }
    return changed;
  }

  private async changeBatch(
    { action, which }: HandChange,
    found: FoundJob[],
    lockTimeoutMs: number,
  ): Promise<number> {
    const { db, hooks, wake, recorder } = this.options;
    const rule = RULES[action];
    const change = async (tx: Transaction) => {
      await touchLanes(tx, found);
      const rows = await tx.query<JobRow>(rule.update, [
        found.map((job) => job.workspace_id),
        found.map((job) => job.id),
      ]);
      const changed: Job[] = rows.map(claimedJob);
      for (const [queue, ofQueue] of groupBy(changed, (job) => job.queue)) {
        await hooks[queue]?.[rule.hook]?.(tx, ofQueue);
        const byLane = new Map(ofQueue.map((job) => [job.lane, job]));
        tx.afterCommit(() => wake(queue, byLane.values()));
      }
      if (changed.length > 0) await recorder?.jobsChanged(tx, { action, which, changed });
      return changed.length;
    };
    return db.transaction(change, { lockTimeoutMs });
  }
}

interface HandChange {
  action: LedgerAction;
  which: WhichJobs;
}

/** The part of what is asked for that an action is for. */
function changeable(action: LedgerAction, which: WhichJobs): WhichJobs {
  const { from, fromMany = from } = RULES[action];
  const isUnsaid = which.id === undefined && which.states === undefined;
  return only(which, isUnsaid ? fromMany : from);
}

function only(which: WhichJobs, states: readonly Standing[]): WhichJobs {
  const asked = new Set(which.states ?? SHOWN_STATES);
  return { ...which, states: states.filter((state) => asked.has(state)) };
}

/** Locks the lanes' rows, in the one order, with news for whoever holds them. */
export async function touchLanes(
  tx: Queryable,
  jobs: readonly Pick<FoundJob, "queue" | "lane" | "workspace_id">[],
): Promise<void> {
  const lanes = [...new Map(jobs.map((job) => [`${job.queue} ${job.lane}`, job])).values()];
  await tx.query(TOUCH_LANES, [
    lanes.map((lane) => lane.queue),
    lanes.map((lane) => lane.lane),
    lanes.map((lane) => lane.workspace_id),
    LOCK_ORDER,
  ]);
}
