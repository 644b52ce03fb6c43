import { randomUUID } from "node:crypto";
import { forgetVanished, markDeleted } from "../../conversations/index.ts";
import { insertJobs, type Job, type JobId } from "../../jobs/index.ts";
import { fewRows, type Queryable, type Transaction } from "../../platform/index.ts";
import { PRIORITY_NUMBERS } from "../new-message.ts";

/**
 * Notices that vanish: when one has been sent, its deletion is written and enqueued for its time, in
 * the transaction that records the send. So it cannot be forgotten, and is retried and reported like
 * any other job. It is a message of a kind of its own, which nobody is shown as one.
 */

/**
 * Once for each notice, whoever records its send again, while its deletion waits; but what is known to
 * be sent only later (another copy, further parts) is deleted later. Of a text in parts some may have
 * been sent, whatever became of it: those vanish, too.
 */
const WRITE_DELETIONS = `/* outbound.vanish */
INSERT INTO outbound_messages (workspace_id, id, connector_id, chat_id, kind, text, content,
  target_id, on_unknown, priority, send_at, business_connection_id, automatic, in_conversation,
  submitted_by, cause_id)
SELECT m.workspace_id, t.id, m.connector_id, m.chat_id, 'deletion', '',
  jsonb_build_object('type', 'delete', 'messageId', m.id), m.id, 'resend', ${PRIORITY_NUMBERS.high},
  coalesce(m.sent_at, clock_timestamp()) + m.delete_after_s * interval '1 s',
  m.business_connection_id, true, false, m.submitted_by, m.job_id
FROM (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS t(workspace_id, message_id, id)
  ${fewRows("$1")}
) t
JOIN outbound_messages m ON m.workspace_id = t.workspace_id AND m.id = t.message_id
WHERE m.delete_after_s IS NOT NULL AND m.state NOT IN ('queued', 'sending')
  AND m.telegram_message_ids <> '{}'
  AND NOT EXISTS (SELECT FROM outbound_messages d WHERE d.workspace_id = m.workspace_id
    AND d.target_id = m.id AND d.kind = 'deletion' AND d.state = 'queued')
ORDER BY m.workspace_id, m.id
RETURNING workspace_id, id, connector_id, send_at, cause_id`;

/** `ends`: messages, perhaps with a `deleteAfter`, whose sends have ended. Lanes are hot: call it last. */
export async function enqueueDeletions(
  tx: Queryable,
  ends: readonly { workspaceId: string; messageId: string }[],
): Promise<void> {
  if (ends.length === 0) return;
  const rows = await tx.query<{
    workspace_id: string;
    id: string;
    connector_id: string;
    send_at: Date;
    cause_id: JobId | null;
  }>(WRITE_DELETIONS, [
    ends.map(({ workspaceId }) => workspaceId),
    ends.map(({ messageId }) => messageId),
    ends.map(() => randomUUID()),
  ]);
  // Of a later time: nobody is woken. The lane that is being drained finds them before it is handed
  // back, and otherwise the sweep does.
  await insertJobs(
    tx,
    rows.map((row) => ({
      queue: "outbound",
      lane: row.connector_id,
      workspaceId: row.workspace_id,
      kind: "deletion",
      // It waits for nothing that is still to be said in its chat.
      orderingKey: `deletion/${row.id}`,
      priority: PRIORITY_NUMBERS.high,
      payload: { messageId: row.id },
      runAt: row.send_at,
      ...(row.cause_id === null ? {} : { causeId: row.cause_id }),
    })),
  );
}

/** A deletion that Telegram has carried out: ours, asked for by somebody or by the notice itself. */
export interface CarriedOut {
  job: Pick<Job, "workspaceId" | "lane">;
  /** Of the message that is deleted. */
  targetId: string;
  chatId: string;
  businessConnectionId: string | null;
  telegramMessageIds: string[];
  /** It was a notice that vanishes: its words go, too. */
  isVanishing: boolean;
}

const VANISHED = `(
  SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS t(workspace_id, id) ${fewRows("$1")}
) t`;

/**
 * What a notice said, and what its edits made it say; that it was sent, to whom, when and by whom,
 * stays. One that is being sent again keeps its words until that is over, when it is deleted again.
 */
const FORGET = `/* outbound.forget-vanished */
UPDATE outbound_messages m SET text = '', entities = NULL, buttons = NULL,
  content = CASE WHEN m.content IS NULL OR m.target_id IS NOT NULL THEN m.content
    ELSE jsonb_build_object('type', m.content ->> 'type', 'vanished', true) END
FROM (
  SELECT t.workspace_id, t.id FROM ${VANISHED}
  UNION ALL
  SELECT o.workspace_id, o.id FROM ${VANISHED}
  JOIN outbound_messages o ON o.workspace_id = t.workspace_id AND o.target_id = t.id
) f
WHERE m.workspace_id = f.workspace_id AND m.id = f.id
  AND NOT (m.state IN ('queued', 'sending') AND (m.target_id IS NULL OR m.approved))`;

/** Conversations show when what was said in them was deleted; of what vanished, not its words. */
export async function recordDeletions(
  tx: Transaction,
  deletions: readonly CarriedOut[],
): Promise<void> {
  const marks = deletions
    // A public name says nothing of the chat's number, by which conversations go.
    .filter(({ chatId }) => /^-?[0-9]+$/.test(chatId))
    .flatMap(({ job, chatId, businessConnectionId, telegramMessageIds, isVanishing }) =>
      telegramMessageIds.map((messageId) => ({
        key: {
          scope: { workspaceId: job.workspaceId, connectorId: job.lane },
          chatId,
          messageId,
          businessConnectionId: businessConnectionId ?? "",
        },
        isVanishing,
      })),
    );
  await markDeleted(
    tx,
    marks.map(({ key }) => key),
  );
  await forgetVanished(
    tx,
    marks.filter(({ isVanishing }) => isVanishing).map(({ key }) => key),
  );
  const vanished = deletions.filter(({ isVanishing }) => isVanishing);
  if (vanished.length === 0) return;
  await tx.query(FORGET, [
    vanished.map(({ job }) => job.workspaceId),
    vanished.map(({ targetId }) => targetId),
  ]);
}

/** What became of the deletion of a notice that vanishes. */
export interface DeletionView {
  /** `waiting` for its time or for Telegram. `unknown`, `failed`, `cancelled`: it may still be there. */
  state: "waiting" | "deleted" | "unknown" | "failed" | "cancelled";
  /** When it is due, or took place. */
  at: string;
  error?: string;
}

const SHOWN = {
  queued: "waiting",
  sending: "waiting",
  sent: "deleted",
  unknown: "unknown",
  failed: "failed",
  cancelled: "cancelled",
} as const;

const READ_DELETION = `/* outbound.deletion-of */
SELECT d.state, d.send_at, d.sent_at, d.error, EXISTS (
    SELECT FROM send_attempts a
    WHERE a.workspace_id = d.workspace_id AND a.message_id = d.target_id AND a.outcome = 'unknown'
  ) AS may_be_doubled
FROM outbound_messages d
WHERE d.workspace_id = $1 AND d.target_id = $2 AND d.kind = 'deletion'
ORDER BY d.send_at DESC, d.created_at DESC LIMIT 1`;

/** A copy whose number Telegram's lost answer held cannot be deleted. */
const MAY_BE_DOUBLED =
  "A try whose answer was lost may have sent another copy, which nobody can delete by itself.";

/** Null while the message has not been sent. */
export async function deletionOf(
  on: Queryable,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<DeletionView | null> {
  const [row] = await on.query<{
    state: keyof typeof SHOWN;
    send_at: Date;
    sent_at: Date | null;
    error: string | null;
    may_be_doubled: boolean;
  }>(READ_DELETION, [workspaceId, id]);
  if (row === undefined) return null;
  const error = row.error ?? (row.may_be_doubled ? MAY_BE_DOUBLED : null);
  return {
    state: SHOWN[row.state],
    at: (row.sent_at ?? row.send_at).toISOString(),
    ...(error === null ? {} : { error }),
  };
}

/** Of a notice that was sent under a number that nobody knows, because Telegram's answer was lost. */
export const undeletable = (sentAt: Date, deleteAfterS: number): DeletionView => ({
  state: "failed",
  at: new Date(sentAt.getTime() + deleteAfterS * 1_000).toISOString(),
  error:
    "It cannot be deleted: Telegram's answer, which held its number in the chat, was lost. Delete it by hand.",
});
