import { recordAudit } from "../audit/index.ts";
import { enqueueSends, type JobSink } from "../outbound/index.ts";
import {
  createTurns,
  type Database,
  inBatches,
  type Logger,
  warnUnlessAway,
} from "../platform/index.ts";
import { followUp } from "./ask.ts";
import { NOT_DECIDED } from "./notice.ts";

/** Approvals ended in one transaction. */
const BATCH = 200;
/** In one turn; what is left is due at the next. */
const MAX_BATCHES = 100;

/**
 * A message that is locked is being decided at this moment, and is looked at in the next turn; one that
 * still awaits approval has one that waits. A message's own time is among that of its approval.
 */
const END = `/* approvals.end-due */
WITH due AS MATERIALIZED (
  SELECT m.workspace_id, m.id FROM approvals a
  JOIN outbound_messages m ON m.workspace_id = a.workspace_id AND m.id = a.message_id
  WHERE a.state = 'waiting' AND a.expires_at <= now() AND m.state = 'awaiting_approval'
  ORDER BY a.expires_at LIMIT ${BATCH} FOR NO KEY UPDATE OF m SKIP LOCKED
), ended AS (
  UPDATE outbound_messages m SET state = 'rejected', error_class = 'expired',
    error = 'Nobody approved it in time: it expired.'
  FROM due WHERE m.workspace_id = due.workspace_id AND m.id = due.id
)
UPDATE approvals a SET state = 'expired', decided_at = clock_timestamp()
FROM due
WHERE a.workspace_id = due.workspace_id AND a.message_id = due.id
RETURNING a.workspace_id, a.message_id, a.notice_id`;

interface EndedRow {
  workspace_id: string;
  message_id: string;
  notice_id: string | null;
}

/** The service that ends what nobody has decided in time. */
export interface ApprovalKeeper {
  start(): void;
  /** Ends after the batch under way. */
  stop(): Promise<void>;
  /** Ends what is due now; answers how many. Throws the database's errors. */
  runOnce(): Promise<number>;
}

export interface ApprovalKeeperOptions {
  db: Database;
  jobs: JobSink;
  log: Logger;
  /** Default 5 000. */
  everyMs?: number;
}

export function createApprovalKeeper({
  db,
  jobs,
  log,
  everyMs = 5_000,
}: ApprovalKeeperOptions): ApprovalKeeper {
  const endBatch = () =>
    db.transaction(async (tx) => {
      const rows = await tx.query<EndedRow>(END);
      await recordAudit(
        tx,
        ...rows.map(
          ({ workspace_id: workspaceId, message_id: subjectId }) =>
            ({ workspaceId, action: "approval.expired", subjectId }) as const,
        ),
      );
      const said = rows.map(({ workspace_id: workspaceId, notice_id: noticeId }) => ({
        workspaceId,
        noticeId,
        text: NOT_DECIDED,
      }));
      const sends = await followUp(tx, said);
      if (sends.length > 0) await enqueueSends(tx, jobs, sends);
      return rows.length;
    });
  const runOnce = () =>
    inBatches(endBatch, { size: BATCH, most: MAX_BATCHES, isStopping: () => turns.isStopping });
  const turns = createTurns({
    db,
    name: "approvals",
    everyMs,
    work: runOnce,
    failed: warnUnlessAway(log, "approvals that are due are not ended now"),
  });
  return {
    runOnce,
    start: turns.start,
    stop: turns.stop,
  };
}
