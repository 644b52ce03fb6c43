import type { Job, JobHooks } from "../jobs/index.ts";
import type { Transaction } from "../platform/index.ts";

const UNSENT = `m.state IN ('queued', 'sending', 'failed', 'cancelled', 'unknown')`;

const DISCARDED = `/* outbound.discarded-by-hand */
UPDATE outbound_messages m SET state = 'cancelled', error_class = 'cancelled',
  error = 'somebody discarded its job before it was sent'
FROM unnest($1::uuid[], $2::uuid[]) AS t(workspace_id, id)
WHERE m.workspace_id = t.workspace_id AND m.id = t.id AND m.state IN ('queued', 'sending')`;

const RETRIED = `/* outbound.retried-by-hand */
UPDATE outbound_messages m SET state = 'queued', error_class = NULL, error = NULL
FROM unnest($1::uuid[], $2::uuid[]) AS t(workspace_id, id)
WHERE m.workspace_id = t.workspace_id AND m.id = t.id AND ${UNSENT}`;

/** Keeps messages in step with their jobs when people retry or discard those by hand. */
export function createOutboundHooks(): JobHooks {
  const change = (sql: string) => async (tx: Transaction, jobs: Job[]) => {
    await tx.query(sql, [
      jobs.map((job) => job.workspaceId),
      jobs.map((job) => job.payload.messageId ?? null),
    ]);
  };
  return { discarded: change(DISCARDED), retried: change(RETRIED) };
}
