import type { JobId, JobWords, WaitingJobs } from "../jobs/index.ts";
import type { Transaction } from "../platform/index.ts";
import { type Content, enqueueDeletions } from "./content/index.ts";
import { type MessageState, priorityNamed } from "./new-message.ts";
import { enqueueSends, type JobSink } from "./submit.ts";
import type { MessageRef } from "./waiting-message.ts";

/** What a person found out about a message of which nobody knows whether it was sent, or wants done. */
export const VERDICTS = ["sent", "resend", "failed"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** There is nothing to say about it. Worded for who wanted to. */
export class NotUnknown extends Error {
  override name = "NotUnknown";
  readonly state: MessageState;
  constructor(state: MessageState, why = "What became of it is known, or still open.") {
    super(why);
    this.state = state;
  }
}

interface Change {
  state: MessageState;
  errorClass: string | null;
  error: string | null;
  /** What its dead letter shows; null: nothing more. */
  job: JobWords | null;
}

const NOT_SENT: JobWords = {
  errorClass: "marked-failed",
  error: "A person has looked, and says that it was not sent.",
};

const CHANGES: Record<Verdict, Change> = {
  sent: {
    state: "sent",
    errorClass: null,
    error: "A person has looked, and says that it was sent.",
    job: null,
  },
  failed: { state: "failed", ...NOT_SENT, job: NOT_SENT },
  resend: { state: "queued", errorClass: null, error: null, job: null },
};

interface Found {
  state: MessageState;
  connectorId: string;
  isOver: boolean;
}

const FIND = `/* outbound.find-unknown */
SELECT state, connector_id AS "connectorId", coalesce(expires_at <= now(), false) AS "isOver"
FROM outbound_messages WHERE workspace_id = $1 AND id = $2 AND kind = 'message'`;

/** Parts that are sent, with the one that somebody has found: the last attempt's, unless it is among them. */
const SENT_PARTS = `m.parts_sent + coalesce((
    SELECT CASE WHEN a.outcome = 'sent' THEN 0 ELSE 1 END FROM send_attempts a
    WHERE a.workspace_id = m.workspace_id AND a.message_id = m.id
      AND (a.outcome IN ('sent', 'unknown') OR a.finished_at IS NULL)
    ORDER BY a.started_at DESC LIMIT 1), 1)`;
const GOES_ON = `($3 = 'sent' AND ${SENT_PARTS} < coalesce(jsonb_array_length(m.cuts), 1))`;

/** It left, if it did, when the attempt began of which nobody knows. */
const RESOLVE = `/* outbound.resolve */
UPDATE outbound_messages m SET state = CASE WHEN ${GOES_ON} THEN 'queued' ELSE $3 END,
  error_class = $4, error = CASE WHEN ${GOES_ON} THEN NULL ELSE $5 END,
  parts_sent = CASE WHEN $3 = 'sent' THEN ${SENT_PARTS} ELSE m.parts_sent END,
  sent_at = CASE WHEN $3 = 'sent' AND NOT ${GOES_ON} THEN coalesce(m.sent_at, (
    SELECT max(a.started_at) FROM send_attempts a
    WHERE a.workspace_id = m.workspace_id AND a.message_id = m.id AND a.outcome = 'unknown'
  ), now()) ELSE m.sent_at END
WHERE m.workspace_id = $1 AND m.id = $2 AND m.state = 'unknown'
RETURNING m.state, m.chat_id AS "chatId", m.priority, m.job_id AS "jobId", m.cause_id AS "causeId",
  m.content`;

interface Resolved {
  state: MessageState;
  chatId: string;
  priority: number;
  jobId: JobId | null;
  causeId: JobId | null;
  content: Content | null;
}

/**
 * Says what became of a message that is `unknown`; null when the workspace has no such message. What
 * is sent again is sent by its own job, and so before what came later for its chat. Of a text in parts it
 * is said of one of them: where that was sent, the rest is sent now. What of a notice that vanishes is
 * known to be in the chat is deleted in its time. Throws `NotUnknown`.
 */
export async function resolveMessage(
  tx: Transaction,
  jobs: WaitingJobs & JobSink,
  { workspaceId, id }: MessageRef,
  verdict: Verdict,
): Promise<{ state: MessageState; connectorId: string } | null> {
  const change = CHANGES[verdict];
  const [found] = await tx.query<Found>(FIND, [workspaceId, id]);
  if (found === undefined) return null;
  const { state, connectorId, isOver } = found;
  if (state !== "unknown") throw new NotUnknown(state);
  if (verdict === "resend" && isOver) {
    throw new NotUnknown(state, "The time it was good for is over; submit it anew.");
  }
  const held = await jobs.holdIn(tx, [{ queue: "outbound", lane: connectorId, workspaceId }]);
  const params = [workspaceId, id, change.state, change.errorClass, change.error];
  const [resolved] = await tx.engine.query<Resolved>(RESOLVE, params);
  if (resolved === undefined) {
    const [now] = await tx.query<Found>(FIND, [workspaceId, id]);
    throw new NotUnknown(now?.state ?? "failed");
  }
  const { state: becomes, chatId, priority, jobId, causeId, content } = resolved;
  const job = { workspaceId, id: jobId ?? "0" };
  if (becomes !== "queued") await held.settle(job, change.job);
  else if (!(await held.revive(job))) {
    // What was done with long ago is dropped from the ledger.
    const place = { workspaceId, connectorId, chatId, priority: priorityNamed(priority) };
    const of = { causeId: causeId ?? undefined, content: content ?? undefined };
    await enqueueSends(tx, jobs, [{ ...place, ...of, id }]);
  }
  if (becomes === "sent") await enqueueDeletions(tx.engine, [{ workspaceId, messageId: id }]);
  return { state: becomes, connectorId };
}
