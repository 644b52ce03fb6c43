import type { Job, JobHooks } from "../jobs/index.ts";
import type { Transaction } from "../platform/index.ts";
import { enqueueDeletions } from "./content/index.ts";
import { MAY_BE_SENT, UNKNOWN, unknownWords } from "./may-be-sent.ts";

const END = `/* outbound.end-by-hand */
UPDATE outbound_messages m SET
  state = CASE WHEN ${MAY_BE_SENT} THEN 'unknown' ELSE 'cancelled' END,
  error_class = CASE WHEN ${MAY_BE_SENT} THEN '${UNKNOWN}' ELSE 'cancelled' END,
  error = CASE WHEN ${MAY_BE_SENT} THEN $4 ELSE $3 END
FROM unnest($1::uuid[], $2::uuid[]) AS t(workspace_id, id)
WHERE m.workspace_id = t.workspace_id AND m.id = t.id AND m.state <> 'sent'`;

const RETRY = `/* outbound.retry-by-hand */
UPDATE outbound_messages m SET state = 'queued', error = NULL, error_class = NULL
FROM unnest($1::uuid[], $2::uuid[]) AS t(workspace_id, id)
WHERE m.workspace_id = t.workspace_id AND m.id = t.id AND m.state <> 'sent'`;

/**
 * When people change a send by hand, its message says so. The time of a send is its job's alone, so
 * a send that is run now leaves nothing to move here.
 */
export function createOutboundHooks(): JobHooks {
  const ids = (jobs: Job[]) => [
    jobs.map((job) => job.workspaceId),
    jobs.map((job) => String(job.payload.messageId)),
  ];
  const end = (done: string) => async (tx: Transaction, jobs: Job[]) => {
    const unknown = unknownWords(`it was ${done} by hand before it was sent again`);
    await tx.query(END, [...ids(jobs), `${done} by hand`, unknown]);
    const ended = jobs.map(({ workspaceId, payload }) => ({
      workspaceId,
      messageId: String(payload.messageId),
    }));
    await enqueueDeletions(tx, ended);
  };
  return {
    discarded: end("discarded"),
    cancelled: end("cancelled"),
    retried: async (tx, jobs) => {
      await tx.query(RETRY, ids(jobs));
    },
  };
}
