import type { Database, Logger, Queryable } from "../platform/index.ts";
import { QUEUES, type QueueName } from "./types.ts";
import type { WokenLane } from "./wakes.ts";

/**
 * Paused queues. The pause is a row, so it outlives an emptied Redis and every process. Nobody can
 * be late for it: the statements that take a lease and that look for due lanes refuse the lanes of
 * a paused queue themselves (`NOT_PAUSED`). Drains under way see it through the pool within
 * `POLL_MS` and end their turn: what runs is finished, nothing is begun, no attempt is spent. Jobs
 * are accepted all the while, and wait.
 */
export const NOT_PAUSED = (queue: string) =>
  `NOT EXISTS (SELECT FROM paused_queues p WHERE p.queue = ${queue})`;

const PAUSE = `/* jobs.pause */
INSERT INTO paused_queues (queue) VALUES ($1) ON CONFLICT DO NOTHING RETURNING queue`;

/** Stops a queue; false when it was paused already. */
export async function pauseQueue(on: Queryable, queue: QueueName): Promise<boolean> {
  return (await on.query(PAUSE, [queue])).length > 0;
}

const RESUME = `/* jobs.resume */
DELETE FROM paused_queues WHERE queue = $1 RETURNING queue`;

/** More lanes than about this wait for the sweeps, which take the longest overdue first. */
const MAX_WOKEN = 10_000;

/**
 * By `lanes_due`, as the sweep goes (sweep.ts): from workspace to workspace, and of each as many of
 * its longest overdue lanes as make a fair share. What a workspace has waiting beyond that is not read.
 */
const OVERDUE = `/* jobs.overdue */
WITH RECURSIVE waiting AS (
  (
    SELECT workspace_id, due_at FROM lanes
    WHERE queue = $1 AND due_at IS NOT NULL ORDER BY workspace_id, due_at LIMIT 1
  )
  UNION ALL
  SELECT next.workspace_id, next.due_at FROM waiting w CROSS JOIN LATERAL (
    SELECT workspace_id, due_at FROM lanes
    WHERE queue = $1 AND due_at IS NOT NULL AND workspace_id > w.workspace_id
    ORDER BY workspace_id, due_at LIMIT 1
  ) next
), due AS MATERIALIZED (
  SELECT workspace_id FROM waiting WHERE due_at <= now()
)
SELECT l.lane, d.workspace_id FROM due d CROSS JOIN LATERAL (
  SELECT lane, due_at FROM lanes
  WHERE queue = $1 AND workspace_id = d.workspace_id AND due_at <= now() AND owner IS NULL
  ORDER BY due_at LIMIT greatest(1, ${MAX_WOKEN} / (SELECT count(*) FROM due))
) l
ORDER BY l.due_at`;

/** Lets a queue go on; false when it was not paused. */
export async function resumeQueue(on: Queryable, queue: QueueName): Promise<boolean> {
  return (await on.query(RESUME, [queue])).length > 0;
}

/**
 * The lanes to wake once a resume has committed: of a wake that comes before that, nothing is taken.
 */
export async function overdueLanes(on: Queryable, queue: QueueName): Promise<WokenLane[]> {
  const lanes = await on.query<{ lane: string; workspace_id: string }>(OVERDUE, [queue]);
  return lanes.map(({ lane, workspace_id }) => ({ lane, workspaceId: workspace_id }));
}

const PAUSED = "/* jobs.paused */ SELECT queue FROM paused_queues";

/** In the order of `QUEUES`. */
export async function pausedQueues(on: Queryable): Promise<QueueName[]> {
  const paused = new Set((await on.query<{ queue: string }>(PAUSED)).map(({ queue }) => queue));
  return QUEUES.filter((queue) => paused.has(queue));
}

const POLL_MS = 400;

/** What a process knows of the pauses: asks Postgres while it works, for all its pools at once. */
export class PauseWatch {
  private readonly db: Database;
  private readonly log: Logger;
  private paused = new Set<QueueName>();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;

  constructor(db: Database, log: Logger) {
    this.db = db;
    this.log = log;
  }

  start(): void {
    this.timer ??= setInterval(() => {
      this.looking ??= this.look().finally(() => {
        this.looking = undefined;
      });
    }, POLL_MS);
  }

  isPaused(queue: QueueName): boolean {
    return this.paused.has(queue);
  }

  /**
   * A lease of this queue was just taken, so it is not paused: known at once, or the lanes woken by
   * a resume would be handed back until the next look.
   */
  sawRunning(queue: QueueName): void {
    this.paused.delete(queue);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    this.timer = undefined;
    await this.looking;
  }

  private async look(): Promise<void> {
    try {
      this.paused = new Set(await pausedQueues(this.db));
    } catch (error) {
      // What was known stays good: without the database nothing is begun anyway.
      this.log.debug({ err: error }, "pauses could not be read");
    }
  }
}
