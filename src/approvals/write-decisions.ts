import { fewRows, type Queryable } from "../platform/index.ts";
import type { Given } from "./judge.ts";
import type { MessageId } from "./standing.ts";

/** What an approver said. */
export interface Word extends MessageId, Given {
  reason: string | null;
  /** Of an edit: what it was before. */
  fromVersion: string | null;
}

/** Who edits a text back to one that they have approved has said so already. */
const INSERT_WORDS = `/* approvals.insert-words */
INSERT INTO approval_decisions (workspace_id, message_id, approver, version, verdict, reason,
  from_version)
SELECT w.workspace_id, w.message_id, w.approver, decode(w.version, 'hex'), w.verdict, w.reason,
  decode(w.from_version, 'hex')
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
  AS w(workspace_id, message_id, approver, version, verdict, reason, from_version)
ON CONFLICT DO NOTHING`;

/** The approvals are held (`holdApprovals`). */
export async function writeWords(on: Queryable, words: readonly Word[]): Promise<void> {
  if (words.length === 0) return;
  await on.query(INSERT_WORDS, [
    words.map(({ workspaceId }) => workspaceId),
    words.map(({ messageId }) => messageId),
    words.map(({ approver }) => approver),
    words.map(({ version }) => version),
    words.map(({ verdict }) => verdict),
    words.map(({ reason }) => reason),
    words.map(({ fromVersion }) => fromVersion),
  ]);
}

/** An approval that is given or refused for good. */
export interface End extends MessageId {
  isApproved: boolean;
  version: string;
  reason: string | null;
}

/** They wait: their messages are held. A condition that says so makes the planner read all that wait. */
const CLOSE = `/* approvals.close */
UPDATE approvals a SET decided_at = clock_timestamp(),
  state = CASE WHEN e.is_approved THEN 'approved' ELSE 'rejected' END,
  version = CASE WHEN e.is_approved THEN decode(e.version, 'hex') END
FROM (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::boolean[], $4::text[])
    AS e(workspace_id, message_id, is_approved, version) ${fewRows("$1")}
) e
WHERE a.workspace_id = e.workspace_id AND a.message_id = e.message_id`;

export async function closeApprovals(on: Queryable, ends: readonly End[]): Promise<void> {
  if (ends.length > 0) await on.query(CLOSE, endColumns(ends));
}

/** From here on the database lets nobody change what is sent. */
const SETTLE = `/* approvals.settle */
UPDATE outbound_messages m SET
  state = CASE WHEN e.is_approved THEN 'queued' ELSE 'rejected' END,
  approved = e.is_approved,
  error_class = CASE WHEN NOT e.is_approved THEN 'rejected' END,
  error = CASE WHEN NOT e.is_approved
    THEN coalesce('Rejected: ' || e.reason, 'An approver rejected it.') END
FROM (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::boolean[], $4::text[], $5::text[])
    AS e(workspace_id, id, is_approved, version, reason) ${fewRows("$1")}
) e
WHERE m.workspace_id = e.workspace_id AND m.id = e.id AND m.state = 'awaiting_approval'
  AND (NOT e.is_approved OR encode(outbound_digest(m), 'hex') = e.version)
RETURNING 1`;

/** Throws where a message is not the one that was approved; that cannot be, since it is held. */
export async function settleMessages(on: Queryable, ends: readonly End[]): Promise<void> {
  if (ends.length === 0) return;
  const params = [...endColumns(ends), ends.map(({ reason }) => reason)];
  const rows = await on.query(SETTLE, params);
  if (rows.length !== ends.length) throw new Error("a message is not what was approved");
}

const endColumns = (ends: readonly End[]) => [
  ends.map(({ workspaceId }) => workspaceId),
  ends.map(({ messageId }) => messageId),
  ends.map(({ isApproved }) => isApproved),
  ends.map(({ version }) => version),
];
