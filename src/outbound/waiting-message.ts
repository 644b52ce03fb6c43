import type { HeldLanes, JobId, WaitingJobs } from "../jobs/index.ts";
import type { Queryable, Transaction } from "../platform/index.ts";
import type { Content } from "./content/index.ts";
import { MAY_BE_SENT } from "./may-be-sent.ts";
import type { MessageState } from "./new-message.ts";

/**
 * A message that nothing was begun of, while somebody changes it. Drains begin what waits under the
 * row of its bot's lane, so whoever changes a queued message together with its job holds that row
 * first, and changes the message only if it still stands as it was read. Exactly one of the two wins.
 * What awaits approval has no job, and its own row is all there is to hold.
 */
export interface WaitingMessage {
  state: MessageState;
  connectorId: string;
  jobId: JobId | null;
  sendAt: Date | null;
  expiresAt: Date | null;
  /** Somebody approved it: what is sent stays as it is. */
  isApproved: boolean;
  isOfBroadcast: boolean;
  /** Nobody submitted it: it is the bot's own. */
  isOwn: boolean;
  /** Null: a text. */
  content: Content | null;
}

/** Which message, in whose workspace. */
export interface MessageRef {
  workspaceId: string;
  id: string;
}

/** It cannot be changed any more, or not yet again. Worded for who wanted to. */
export class NotWaiting extends Error {
  override name = "NotWaiting";
  readonly state: MessageState;
  constructor(state: MessageState, why: string = WHY_NOT[state]) {
    super(why);
    this.state = state;
  }
}

const WHY_NOT: Record<MessageState, string> = {
  awaiting_approval: "It was changed by somebody else at the same moment; try again.",
  queued: "It was changed by somebody else at the same moment; try again.",
  sending: "It is being sent at this moment.",
  sent: "It was sent already.",
  unknown: "It may have been sent already; say what became of it instead (resolve).",
  failed: "It has failed already; submit it anew.",
  rejected: "It was rejected already; submit it anew.",
  cancelled: "It was cancelled already; submit it anew.",
};

const FIND = `/* outbound.find-waiting */
SELECT m.state, m.connector_id AS "connectorId", m.job_id AS "jobId", m.send_at AS "sendAt",
  m.expires_at AS "expiresAt", m.approved AS "isApproved",
  m.broadcast_id IS NOT NULL AS "isOfBroadcast",
  m.automatic AND m.submitted_by IS NULL AS "isOwn", m.content, m.parts_sent > 0 AS "isPartlySent",
  ${MAY_BE_SENT} AS "mayBeSent"
FROM outbound_messages m WHERE m.workspace_id = $1 AND m.id = $2 AND m.kind = 'message'`;

/** As SQL, of a message `m`: none of its parts was sent. */
export const IS_WHOLE = "m.parts_sent = 0";

/**
 * Null when there is none. Throws `NotWaiting` for one that was begun; `refuseMaybeSent`: also where
 * an attempt at it may have reached Telegram.
 */
export async function findWaiting(
  on: Queryable,
  { workspaceId, id }: MessageRef,
  { refuseMaybeSent }: { refuseMaybeSent: boolean },
): Promise<WaitingMessage | null> {
  const [row] = await on.query<WaitingMessage & { isPartlySent: boolean; mayBeSent: boolean }>(
    FIND,
    [workspaceId, id],
  );
  if (row === undefined) return null;
  const { isPartlySent, mayBeSent, ...found } = row;
  if (found.state !== "queued" && found.state !== "awaiting_approval") {
    throw new NotWaiting(found.state);
  }
  if (isPartlySent) throw new NotWaiting(found.state, "The first part of it was sent already.");
  if (refuseMaybeSent && mayBeSent) {
    throw new NotWaiting(
      found.state,
      "It may have been sent already: an answer of Telegram was lost, and it is being sent again.",
    );
  }
  return found;
}

/** Holds the lane of a queued message; null for one that awaits approval. */
export async function holdLaneOf(
  tx: Transaction,
  jobs: WaitingJobs,
  { workspaceId }: MessageRef,
  { state, connectorId }: Pick<WaitingMessage, "state" | "connectorId">,
  { urgent = false }: { urgent?: boolean } = {},
): Promise<HeldLanes | null> {
  if (state !== "queued") return null;
  return jobs.holdIn(tx, [{ queue: "outbound", lane: connectorId, workspaceId, urgent }]);
}

/** So often what was read and is not so any more is read again. */
const LOOKS = 3;

/** Reads and changes until the two meet. `change` answers null where it found the message changed. */
export async function changeWaiting<Result>(
  find: () => Promise<WaitingMessage | null>,
  change: (found: WaitingMessage) => Promise<Result | null>,
): Promise<Result | null> {
  for (let look = 1; ; look++) {
    const found = await find();
    if (found === null) return null;
    const result = await change(found);
    if (result !== null) return result;
    if (look === LOOKS) throw new NotWaiting(found.state);
  }
}
