import { listProcesses, type QueueStats, queueStats } from "../jobs/index.ts";
import type { Database } from "../platform/index.ts";

export type QueueView = QueueStats & {
  /** Processes heard of lately that take its jobs. */
  workers: number;
};

/** Every queue's figures, and whether anybody works on it. */
export async function loadQueues(db: Database): Promise<QueueView[]> {
  const [stats, processes] = await Promise.all([queueStats(db), listProcesses(db)]);
  return stats.map((queue) => ({
    ...queue,
    workers: processes.filter(({ alive, queues }) => alive && queues.includes(queue.name)).length,
  }));
}
