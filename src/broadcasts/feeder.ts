import type { WaitingJobs } from "../jobs/index.ts";
import type { JobSink } from "../outbound/index.ts";
import {
  createTurns,
  type Database,
  isUnavailable,
  type Logger,
  warnUnlessAway,
} from "../platform/index.ts";
import { type FedBroadcast, feedBroadcast } from "./feed.ts";

/** In one turn; those that are left have waited longest at the next. */
const DUE = `/* broadcasts.due */
SELECT workspace_id AS "workspaceId", id FROM broadcasts
WHERE due_at <= now() ORDER BY due_at LIMIT 500`;

/** What cannot be fed does not come back at every turn. */
const LATER = `/* broadcasts.look-later */
UPDATE broadcasts SET due_at = now() + interval '30 s'
WHERE workspace_id = $1 AND id = $2 AND due_at <= now()`;

/** Steps of one broadcast in a turn, each a batch: then the others have theirs. */
const MAX_STEPS = 25;

/**
 * The service that makes messages of broadcasts' recipients. One process at a time has the turn; where
 * one takes longer, the next works beside it, and the row of each broadcast says whose it is.
 */
export interface BroadcastFeeder {
  start(): void;
  /** Ends after the batch under way. */
  stop(): Promise<void>;
  /** One turn, of all that is due. Throws the database's errors. */
  runOnce(): Promise<void>;
}

export interface BroadcastFeederOptions {
  db: Database;
  jobs: JobSink & WaitingJobs;
  log: Logger;
  /** Default 1 000: a bot that is fed less often runs out of messages. */
  everyMs?: number;
}

export function createBroadcastFeeder(options: BroadcastFeederOptions): BroadcastFeeder {
  const { db, jobs, log, everyMs = 1_000 } = options;
  async function feed(broadcast: FedBroadcast): Promise<void> {
    for (let step = 0; step < MAX_STEPS && !turns.isStopping; step++) {
      if (!(await db.transaction((tx) => feedBroadcast(tx, jobs, broadcast)))) return;
    }
  }

  const runOnce = async (): Promise<void> => {
    for (const broadcast of await db.query<FedBroadcast>(DUE)) {
      if (turns.isStopping) return;
      try {
        await feed(broadcast);
      } catch (error) {
        if (isUnavailable(error)) throw error;
        // One that fails is not to keep the others from their turn.
        log.warn({ err: error, broadcastId: broadcast.id }, "a broadcast is not fed now");
        await db.query(LATER, [broadcast.workspaceId, broadcast.id]);
      }
    }
  };
  const turns = createTurns({
    db,
    name: "broadcasts",
    everyMs,
    work: runOnce,
    failed: warnUnlessAway(log, "broadcasts are not fed now"),
  });
  return {
    runOnce,
    start: turns.start,
    stop: turns.stop,
  };
}
