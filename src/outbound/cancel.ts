import type { WaitingJobs } from "../jobs/index.ts";
import type { Transaction } from "../platform/index.ts";
import { MAY_BE_SENT, UNKNOWN, unknownWords } from "./may-be-sent.ts";
import {
  changeWaiting,
  findWaiting,
  holdLaneOf,
  IS_WHOLE,
  type MessageRef,
} from "./waiting-message.ts";

const WORDS = "It was cancelled before it was sent.";

const CANCEL = `/* outbound.cancel-one */
UPDATE outbound_messages m SET
  state = CASE WHEN maybe.sent THEN 'unknown' ELSE 'cancelled' END,
  error_class = CASE WHEN maybe.sent THEN '${UNKNOWN}' ELSE 'cancelled' END,
  error = CASE WHEN maybe.sent THEN $4 ELSE $5 END
FROM (
  SELECT ${MAY_BE_SENT} AS sent FROM outbound_messages m WHERE m.workspace_id = $1 AND m.id = $2
) maybe
WHERE m.workspace_id = $1 AND m.id = $2 AND m.state = $3 AND ${IS_WHOLE}
RETURNING m.state`;

export interface Cancelled {
  /** `unknown`: it will not be sent again, but an earlier attempt may have reached Telegram. */
  state: "cancelled" | "unknown";
  connectorId: string;
}

/**
 * Cancels a message that waits, with its job. Null when the workspace has no such message. Throws
 * `NotWaiting` when it was begun: of this and a drain that begins it exactly one wins.
 */
export async function cancelMessage(
  tx: Transaction,
  jobs: WaitingJobs,
  ref: MessageRef,
): Promise<Cancelled | null> {
  const { workspaceId, id } = ref;
  return changeWaiting(
    () => findWaiting(tx, ref, { refuseMaybeSent: false }),
    async (found) => {
      const held = await holdLaneOf(tx, jobs, ref, found);
      const words = unknownWords("it was cancelled before it was sent again");
      const [row] = await tx.engine.query<Pick<Cancelled, "state">>(CANCEL, [
        workspaceId,
        id,
        found.state,
        words,
        WORDS,
      ]);
      if (row === undefined) return null;
      if (found.jobId !== null) {
        const why = { errorClass: "cancelled", error: WORDS };
        await held?.cancel([{ workspaceId, id: found.jobId }], why);
      }
      return { state: row.state, connectorId: found.connectorId };
    },
  );
}
