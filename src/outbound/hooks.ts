import type { Job, JobHooks } from "../jobs/index.ts";
import type { Transaction } from "../platform/index.ts";

/**
 * When people change a send by hand, its message says so. The time of a send is its job's alone, so
 * a send that is run now leaves nothing to move here.
 */
export function createOutboundHooks(): JobHooks {
  const change = (state: string, error: string | null) => async (tx: Transaction, jobs: Job[]) => {
    await tx.query(
      `/* outbound.by-hand */
       UPDATE outbound_messages m SET state = $3, error = $4, error_class = NULL
       FROM unnest($1::uuid[], $2::uuid[]) AS t(workspace_id, id)
       WHERE m.workspace_id = t.workspace_id AND m.id = t.id AND m.state <> 'sent'`,
      [
        jobs.map((job) => job.workspaceId),
        jobs.map((job) => String(job.payload.messageId)),
        state,
        error,
      ],
    );
  };
  return {
    discarded: change("cancelled", "discarded by hand"),
    cancelled: change("cancelled", "cancelled by hand"),
    retried: change("queued", null),
  };
}
