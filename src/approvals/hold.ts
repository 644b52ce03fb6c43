import { recordAudit } from "../audit/index.ts";
import { enqueueSends, insertMessages, type JobSink, type NewMessage } from "../outbound/index.ts";
import type { Transaction } from "../platform/index.ts";
import { askInChat } from "./ask.ts";
import { findRuleFor } from "./find-rule.ts";
import { type MessageKind, type Rule, snapshotOf } from "./rule-for.ts";

const INSERT = `/* approvals.insert */
INSERT INTO approvals (workspace_id, message_id, rule_id, rule, needed, expires_at)
SELECT m.workspace_id, m.id, $3::uuid, $4::jsonb, $5::smallint,
  least(now() + $6::int * interval '1 s', m.expires_at)
FROM outbound_messages m WHERE m.workspace_id = $1 AND m.id = $2
RETURNING expires_at, (
  SELECT encode(outbound_digest(m), 'hex') FROM outbound_messages m
  WHERE m.workspace_id = $1 AND m.id = $2) AS version`;

/**
 * Whether a message has to wait. Null: by no rule, and nothing is written. Otherwise it is, waiting,
 * with its entry in the audit log, and its approvers are asked where they have a chat. Of a broadcast
 * `message` is the one that stands for all: it is asked about once.
 */
export async function holdForApproval(
  tx: Transaction,
  jobs: JobSink,
  { message, kind }: { message: NewMessage; kind: MessageKind },
): Promise<{ id: string; state: "awaiting_approval" } | null> {
  const { workspaceId } = message;
  const rule = await findRuleFor(tx, { message, kind });
  if (rule === null) return null;
  const [id] = await insertMessages(tx, [message], "awaiting_approval");
  if (id === undefined) throw new Error("an insert of one message gave no id");
  await ask(tx, jobs, { workspaceId, messageId: id, rule, kind });
  return { id, state: "awaiting_approval" };
}

async function ask(
  tx: Transaction,
  jobs: JobSink,
  request: { workspaceId: string; messageId: string; rule: Rule; kind: MessageKind },
): Promise<void> {
  const { workspaceId, messageId, rule, kind } = request;
  const { id: ruleId, approvals: needed } = rule;
  const [row] = await tx.query<{ expires_at: Date; version: string }>(INSERT, [
    workspaceId,
    messageId,
    ruleId,
    JSON.stringify(snapshotOf(rule, kind)),
    needed,
    rule.expiresAfterS,
  ]);
  if (row === undefined) throw new Error("a message that was written is gone");
  const { expires_at: expiresAt, version } = row;
  const details = { ruleId, needed, version, expiresAt: expiresAt.toISOString() };
  const requested = { action: "approval.requested", subjectId: messageId, details } as const;
  await recordAudit(tx, { workspaceId, ...requested });
  const notice = await askInChat(tx, { workspaceId, messageId, rule, needed, version, expiresAt });
  if (notice !== null) await enqueueSends(tx, jobs, [notice]);
}
