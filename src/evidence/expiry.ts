import { recordAudit } from "../audit/index.ts";
import {
  createTurns,
  type Database,
  inBatches,
  type Logger,
  warnUnlessAway,
} from "../platform/index.ts";

/** Ended in one transaction. */
const BATCH = 200;
/** In one turn; what is left is due at the next. */
const MAX_BATCHES = 100;

/**
 * Evidence whose last day is over counts no more (states.ts: expire). What is locked is being changed at
 * this moment, and is looked at in the next turn. Days end when they do in UTC.
 */
const EXPIRE = `/* evidence.expire */
WITH due AS MATERIALIZED (
  SELECT workspace_id, id, approved_revision FROM evidence
  WHERE approved_revision IS NOT NULL AND expires_on < (now() AT TIME ZONE 'UTC')::date
  ORDER BY expires_on LIMIT ${BATCH} FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE evidence e SET status = CASE e.status WHEN 'approved' THEN 'expired' ELSE e.status END,
  approved_revision = NULL, version = e.version + 1, updated_at = now()
FROM due WHERE e.workspace_id = due.workspace_id AND e.id = due.id
RETURNING e.workspace_id AS "workspaceId", e.id, due.approved_revision AS revision`;

interface ExpiredRow {
  workspaceId: string;
  id: string;
  revision: number;
}

/** The service that ends what does not count any more. */
export interface EvidenceExpiry {
  start(): void;
  /** Ends after the batch under way. */
  stop(): Promise<void>;
  /** Ends what is due now; answers how many. Throws the database's errors. */
  runOnce(): Promise<number>;
}

export interface EvidenceExpiryOptions {
  db: Database;
  log: Logger;
  /** Default 60 000. */
  everyMs?: number;
}

export function createEvidenceExpiry({
  db,
  log,
  everyMs = 60_000,
}: EvidenceExpiryOptions): EvidenceExpiry {
  const endBatch = () =>
    db.transaction(async (tx) => {
      const rows = await tx.query<ExpiredRow>(EXPIRE);
      const entries = rows.map(
        ({ workspaceId, id: subjectId, revision }) =>
          ({ workspaceId, action: "evidence.expired", subjectId, details: { revision } }) as const,
      );
      await recordAudit(tx, ...entries);
      return rows.length;
    });
  const runOnce = () =>
    inBatches(endBatch, { size: BATCH, most: MAX_BATCHES, isStopping: () => turns.isStopping });
  const turns = createTurns({
    db,
    name: "evidence expiry",
    everyMs,
    work: runOnce,
    failed: warnUnlessAway(log, "evidence whose last day is over is not ended now"),
  });
  return { runOnce, start: turns.start, stop: turns.stop };
}
