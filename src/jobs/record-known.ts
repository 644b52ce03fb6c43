import {
  type Database,
  isLockTimeout,
  isOfItsData,
  isUnavailable,
  type Logger,
  sqlState,
} from "../platform/index.ts";
import type { Attempts, RecordedEnd, RecordWay } from "./attempts.ts";
import type { ClaimedJob } from "./claim.ts";
import { outcomeOfError } from "./errors.ts";
import { type Lease, mustHold } from "./lease.ts";
import type { TurnControl } from "./pool.ts";

const RECORD_RETRY_MS = 200;
/** So often an outcome waits, alone, for a row of its consequences: about half a minute. */
const MAX_LOCK_TIMEOUTS = 25;
/** So often an error of nobody knows what is taken for one that passes. */
const MAX_STRANGE_ERRORS = 10;

/** What records of a drain's attempts go through. */
export interface Recording {
  db: Database;
  attempts: Attempts;
  turn: TurnControl;
  log: Logger;
  /** The database is away. */
  onCut(): void;
}

/**
 * A known outcome must not be lost: forgotten, the job would be taken for one whose worker died,
 * and what has been sent would be sent again. So it is tried until the worker stops, whatever the
 * database says, and without its consequences (`finish`) where those are what fails.
 */
export async function recordKnown(
  end: RecordedEnd,
  { attempts, turn, log, onCut }: Recording,
): Promise<void> {
  const way: RecordWay = { together: true, consequences: "all" };
  let strange = 0;
  let locked = 0;
  for (;;) {
    try {
      await attempts.record(end, way);
      return;
    } catch (error) {
      // What failed together has been tried alone by now.
      if (turn.stopNow.aborted) throw error;
      way.together = isUnavailable(error);
      if (sqlState(error) === undefined && !isUnavailable(error)) strange++;
      if (isLockTimeout(error) && ++locked > MAX_LOCK_TIMEOUTS) way.consequences = "essential";
      if (isOfItsData(error) || strange > MAX_STRANGE_ERRORS) {
        if (way.consequences === "none") throw error;
        way.consequences = "none";
        const context = { err: error, jobId: end.job.id };
        log.error(context, "an outcome is recorded without its consequences");
        continue;
      }
      if (isUnavailable(error)) onCut();
      else turn.end();
      await new Promise((resolve) => setTimeout(resolve, RECORD_RETRY_MS));
    }
  }
}

/** `begin` itself failed, before anything left: an attempt that failed. Never throws. */
export async function recordFailedBegin(
  { job, error, lease }: { job: ClaimedJob; error: unknown; lease: Lease },
  { db, attempts, turn, log }: Recording,
): Promise<void> {
  const outcome = outcomeOfError(error);
  const end = { job, attempt: job.attempts + 1, begun: null, own: null, outcome, runMs: 0 };
  try {
    await db.transaction(async (tx) => {
      await mustHold(tx, lease);
      await attempts.recordIn(tx, [end], { wasRunning: false });
    });
  } catch (failure) {
    log.error({ err: failure, jobId: job.id }, "a failed begin could not be recorded");
    turn.end();
  }
}
