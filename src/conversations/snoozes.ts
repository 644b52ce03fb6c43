import {
  createTurns,
  type Database,
  inBatches,
  type Logger,
  warnUnlessAway,
} from "../platform/index.ts";

/** Conversations opened in one transaction. */
const BATCH = 500;
/** In one turn; what is left is due at the next. */
const MAX_BATCHES = 100;

/**
 * Who is locked is being changed by somebody at this moment, and is looked at in the next turn. It
 * waits since its snooze was over, not since somebody looked.
 */
const END = `/* conversations.end-snoozes */
WITH due AS MATERIALIZED (
  SELECT workspace_id, id FROM conversations
  WHERE status = 'snoozed' AND snoozed_until <= now()
  ORDER BY snoozed_until LIMIT ${BATCH} FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE conversations c SET status = 'open', waiting_since = c.snoozed_until, snoozed_until = NULL,
  last_actor_kind = 'system', last_actor = NULL
FROM due
WHERE c.workspace_id = due.workspace_id AND c.id = due.id
  AND c.status = 'snoozed' AND c.snoozed_until <= now()
RETURNING 1`;

/** The service that opens conversations again whose snooze is over. */
export interface SnoozeKeeper {
  start(): void;
  /** Ends after the batch under way. */
  stop(): Promise<void>;
  /** Opens what is due now; answers how many. Throws the database's errors. */
  runOnce(): Promise<number>;
}

export interface SnoozeKeeperOptions {
  db: Database;
  log: Logger;
  /** Default 2 000. */
  everyMs?: number;
}

export function createSnoozeKeeper({
  db,
  log,
  everyMs = 2_000,
}: SnoozeKeeperOptions): SnoozeKeeper {
  const openBatch = async () => (await db.query(END)).length;
  const runOnce = () =>
    inBatches(openBatch, { size: BATCH, most: MAX_BATCHES, isStopping: () => turns.isStopping });
  const turns = createTurns({
    db,
    name: "snoozes",
    everyMs,
    work: runOnce,
    failed: warnUnlessAway(log, "snoozed conversations are not opened now"),
  });
  return {
    runOnce,
    start: turns.start,
    stop: turns.stop,
  };
}
