import { recordAudit } from "../audit/index.ts";
import { cancelLane, type Job, type Ledger } from "../jobs/index.ts";
import { type Database, fewRows, type Transaction } from "../platform/index.ts";
import { MAY_BE_SENT, UNKNOWN, unknownWords } from "./may-be-sent.ts";

/** Whose messages: a bot's lane bears its connector's id. */
interface Bot {
  workspaceId: string;
  connectorId: string;
}

/** A caller waits for it. What is left after that fails one by one, with the same words. */
const CANCEL_WITHIN_MS = 20_000;

const DISCONNECTED = "The bot was disconnected before this was sent.";

const CANCEL = `/* outbound.cancel */
UPDATE outbound_messages m SET
  state = CASE WHEN ${MAY_BE_SENT} THEN 'unknown' ELSE 'cancelled' END,
  error_class = CASE WHEN ${MAY_BE_SENT} THEN '${UNKNOWN}' ELSE 'connector-removed' END,
  error = CASE WHEN ${MAY_BE_SENT} THEN $4 ELSE $3 END
FROM (
  SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS t(workspace_id, id) ${fewRows("$1")}
) t
WHERE m.workspace_id = t.workspace_id AND m.id = t.id AND m.state <> 'sent'`;

async function cancelMessages(tx: Transaction, jobs: Job[]): Promise<void> {
  await tx.query(CANCEL, [
    jobs.map((job) => job.workspaceId),
    jobs.map((job) => String(job.payload.messageId)),
    DISCONNECTED,
    unknownWords("the bot was disconnected before it was sent again"),
  ]);
  const [first] = jobs;
  if (first === undefined) return;
  const { workspaceId, queue, lane } = first;
  const details = { count: jobs.length, queue, lane };
  await recordAudit(tx, { workspaceId, action: "jobs.cancelled", details });
}

/** What a change of a bot's credentials means for its messages that wait. */
export function createConnectorSends({ db, ledger }: { db: Database; ledger: Ledger }) {
  return {
    /**
     * What was paused is due now; messages of a later time keep it, and holds that Telegram set stay
     * in force. Answers how many.
     */
    resume: ({ workspaceId, connectorId }: Bot): Promise<number> =>
      ledger.runNow({
        workspaceId,
        queue: "outbound",
        lane: connectorId,
        states: ["retryable"],
        errorClass: "Pause",
      }),
    /** Cancels what waits, with the reason; answers how many. */
    cancel: ({ connectorId }: Bot): Promise<number> => {
      const lane = { queue: "outbound" as const, lane: connectorId };
      const words = { errorClass: "connector-removed", error: DISCONNECTED };
      const cancellation = { ...lane, ...words, onCancelled: cancelMessages };
      return cancelLane(db, cancellation, { withinMs: CANCEL_WITHIN_MS });
    },
  };
}
