import { recordAudit } from "../audit/index.ts";
import type { WaitingJobs } from "../jobs/index.ts";
import type { Queryable, Transaction } from "../platform/index.ts";
import { recallSends } from "./recall-sends.ts";
import { cancelSample } from "./sample.ts";

/** What people do to a broadcast by hand. */
export type BroadcastAction = "pause" | "resume" | "cancel";

type StoredState = "awaiting_approval" | "running" | "paused" | "cancelled" | "rejected" | "done";

/** A broadcast in that state cannot be changed so. */
export class ImpossibleBroadcastChange extends Error {
  override name = "ImpossibleBroadcastChange";
  constructor(action: BroadcastAction, state: string) {
    super(`A broadcast that is ${state.replaceAll("_", " ")} cannot be ${PAST[action]}.`);
  }
}

const PAST = { pause: "paused", resume: "resumed", cancel: "cancelled" } as const;

/** From which states, and to which. */
const RULES: Record<BroadcastAction, { from: readonly StoredState[]; to: StoredState }> = {
  pause: { from: ["running"], to: "paused" },
  resume: { from: ["paused"], to: "running" },
  cancel: { from: ["awaiting_approval", "running", "paused"], to: "cancelled" },
};

const HOLD = `/* broadcasts.hold */
SELECT connector_id, state, sample_id FROM broadcasts WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE`;

const CHANGE = `/* broadcasts.change */
UPDATE broadcasts SET state = $3,
  finished_at = CASE WHEN $3 = 'cancelled' THEN now() END,
  due_at = CASE WHEN $3 = 'running' THEN greatest(send_at, now()) ELSE now() END
WHERE workspace_id = $1 AND id = $2`;

interface Which {
  workspaceId: string;
  id: string;
}

interface HeldRow {
  connector_id: string;
  state: StoredState;
  sample_id: string | null;
}

const hold = async (tx: Queryable, { workspaceId, id }: Which) =>
  (await tx.query<HeldRow>(HOLD, [workspaceId, id]))[0];

/**
 * Pauses a broadcast, lets it go on, or cancels it, with its entry in the audit log; what is so already
 * stays so. Of a broadcast that stops, what waits in the bot's queue is taken out in the same
 * transaction: after it nothing more begins to be sent. (More than a batch of that is left to the
 * feeder, a second later.) False when the workspace has no such broadcast. Throws
 * `ImpossibleBroadcastChange`.
 */
export async function changeBroadcast(
  tx: Transaction,
  jobs: WaitingJobs,
  { workspaceId, id }: Which,
  action: BroadcastAction,
): Promise<boolean> {
  const row = await hold(tx, { workspaceId, id });
  if (row === undefined) return false;
  const { from, to } = RULES[action];
  if (row.state === to) return true;
  if (!from.includes(row.state)) throw new ImpossibleBroadcastChange(action, row.state);
  await tx.query(CHANGE, [workspaceId, id, to]);
  const connectorId = row.connector_id;
  const details = { connectorId };
  await recordAudit(tx, {
    workspaceId,
    action: `broadcast.${PAST[action]}`,
    subjectId: id,
    details,
  });
  if (action === "resume") return true;
  const sampleId = row.sample_id;
  if (action === "cancel") await cancelSample(tx, { workspaceId, sampleId });
  // The bot's lane is hot: last.
  const which = { workspaceId, connectorId, broadcastId: id, sampleId };
  await recallSends(tx, jobs, which, action === "pause" ? "take-back" : "cancel");
  return true;
}
