import type { QueueName } from "./types.ts";

/**
 * The order in which a transaction takes lanes of several queues: a queue stands behind those its
 * work may enqueue to, because a drain takes its own lanes last (`finishLanes`).
 */
export const LOCK_ORDER: QueueName[] = [
  "delivery",
  "outbound",
  "evidence",
  "backfill",
  "schedule",
  "ingest",
];
