import { type Actor, actAs, type NewAuditEntry, recordAudit } from "../audit/index.ts";
import {
  enqueueSends,
  type JobSink,
  type NewMessage,
  priorityNamed,
  rewriteMessage,
  type Sendable,
} from "../outbound/index.ts";
import type { Transaction } from "../platform/index.ts";
import { askInChat, type FollowUp, followUp } from "./ask.ts";
import { findRuleFor } from "./find-rule.ts";
import { afterWord, type Given, missing, type Refused, refusalOf } from "./judge.ts";
import { nameOf } from "./names.ts";
import { decidedBy } from "./notice.ts";
import { snapshotOf } from "./rule-for.ts";
import { type Held, holdApprovals, keyOf, type MessageId } from "./standing.ts";
import { closeApprovals, settleMessages, type Word, writeWords } from "./write-decisions.ts";

/** What an approver says of a message. */
export interface Act extends MessageId {
  /** `edit`: approves it as it is to be from now on. */
  verdict: "approve" | "reject" | "edit";
  /** `key:<id>` or `person:<id>`. */
  approver: string;
  /** SHA-256, in hex, of the message that they have seen. */
  version: string;
  reason?: string;
  /** Of an edit. Buttons that are left out stay. */
  edit?: Pick<NewMessage, "text" | "format" | "entities" | "partLength" | "buttons">;
  /** As the audit log names them. Left out: whoever acts already. */
  actor?: Actor;
}

/** What came of it; null: nothing was asked about this message. */
export type Decided =
  | { refused: Refused }
  | { refused: null; state: "waiting" | "approved" | "rejected"; missing: number }
  | null;

/**
 * Applies what approvers say, one after the other, each knowing what those before it did; answers what
 * came of each. Of two who say something at once the second waits for the first, and is judged by what
 * it left. In the caller's transaction, with its entries; takes lanes at the end.
 */
export async function decide(
  tx: Transaction,
  jobs: JobSink,
  acts: readonly Act[],
): Promise<Decided[]> {
  const held = await holdApprovals(tx, acts);
  const outcome: Outcome = { words: [], edited: new Map(), ended: new Map(), entries: [] };
  const decided: Decided[] = [];
  for (const act of acts) {
    const approval = held.get(keyOf(act));
    decided.push(approval === undefined ? null : await apply(tx, act, approval, outcome));
  }
  await write(tx, jobs, outcome);
  return decided;
}

interface Outcome {
  words: Word[];
  /** Waiting still, with another text than they were asked about. */
  edited: Map<string, Held>;
  ended: Map<string, { approval: Held; by: Act }>;
  entries: Array<{ actor: Actor | undefined; entry: NewAuditEntry }>;
}

async function apply(
  tx: Transaction,
  act: Act,
  approval: Held,
  { words, edited, ended, entries }: Outcome,
): Promise<Decided> {
  const { workspaceId, messageId, approver, actor, reason } = act;
  const subject = { workspaceId, subjectId: messageId };
  const refused = refusalOf(approval.standing, act);
  if (refused !== null) {
    const details = { why: refused, approver };
    entries.push({ actor, entry: { ...subject, action: "approval.refused", details } });
    return { refused };
  }
  const from = approval.standing.version;
  const version = act.edit === undefined ? from : await rewrite(tx, approval, act.edit);
  const word: Given = { approver, version, verdict: VERDICTS[act.verdict] };
  const standing = afterWord(approval.standing, word);
  approval.standing = standing;
  const fromVersion = word.verdict === "edited" ? from : null;
  words.push({ workspaceId, messageId, ...word, reason: reason ?? null, fromVersion });
  const left = missing(standing);
  entries.push({ actor, entry: { ...subject, ...saying(word, { from, left }) } });
  const key = keyOf(approval);
  if (standing.state === "waiting") {
    if (fromVersion !== null) edited.set(key, approval);
    return { refused: null, state: "waiting", missing: left };
  }
  edited.delete(key);
  ended.set(key, { approval, by: act });
  const state = standing.state === "approved" ? "approved" : "rejected";
  return { refused: null, state, missing: left };
}

const VERDICTS = { approve: "approved", reject: "rejected", edit: "edited" } as const;

/** A word as the audit log says it. */
function saying(
  { approver, version, verdict }: Given,
  { from, left }: { from: string; left: number },
) {
  if (verdict === "rejected") {
    return { action: "approval.rejected", details: { approver, version } } as const;
  }
  const said = { approver, missing: left };
  return verdict === "approved"
    ? ({ action: "approval.approved", details: { ...said, version } } as const)
    : ({ action: "approval.edited", details: { ...said, from, to: version } } as const);
}

const TIGHTEN = `/* approvals.tighten */
UPDATE approvals SET rule_id = $3, rule = $4, needed = $5
WHERE workspace_id = $1 AND message_id = $2`;
const VERSION = `/* approvals.version */
SELECT encode(outbound_digest(m), 'hex') AS version FROM outbound_messages m
WHERE m.workspace_id = $1 AND m.id = $2`;

/**
 * Gives a held message another text; answers its new version. Where it now meets a rule that asks for
 * more approvals it waits by that one: nobody gets round a rule by editing.
 */
async function rewrite(
  tx: Transaction,
  approval: Held,
  { buttons = approval.message.buttons, ...writing }: NonNullable<Act["edit"]>,
): Promise<string> {
  const { workspaceId, messageId: id, standing, rule } = approval;
  const { connectorId, chatId, content, priority } = approval.message;
  const message: NewMessage = {
    workspaceId,
    connectorId,
    chatId,
    content,
    ...writing,
    buttons,
    priority: priorityNamed(priority),
    submittedBy: standing.author ?? undefined,
  };
  await rewriteMessage(tx.engine, { ...message, id });
  const stricter = await findRuleFor(tx, { message, kind: rule.kind });
  if (stricter !== null && stricter.approvals > standing.needed) {
    approval.rule = snapshotOf(stricter, rule.kind);
    const { approvals: needed, personIds } = stricter;
    approval.standing = { ...standing, needed, personIds };
    const snapshot = JSON.stringify(approval.rule);
    await tx.query(TIGHTEN, [workspaceId, id, stricter.id, snapshot, needed]);
  }
  const [row] = await tx.query<{ version: string }>(VERSION, [workspaceId, id]);
  if (row === undefined) throw new Error("a message that is held is gone");
  return row.version;
}

async function write(
  tx: Transaction,
  jobs: JobSink,
  { words, edited, ended, entries }: Outcome,
): Promise<void> {
  await writeWords(tx, words);
  const ends = [...ended.values()].map(({ approval, by }) => ({
    workspaceId: approval.workspaceId,
    messageId: approval.messageId,
    isApproved: approval.standing.state === "approved",
    version: approval.standing.version,
    reason: by.reason ?? null,
    approval,
    by,
  }));
  await closeApprovals(tx, ends);
  await settleMessages(tx.engine, ends);
  for (const { actor, entry } of entries) {
    if (actor === undefined) await recordAudit(tx, entry);
    else await actAs(actor, null, () => recordAudit(tx, entry));
  }
  const sends: Sendable[] = ends
    .filter(({ isApproved }) => isApproved)
    .map(({ approval: { messageId: id, message } }) => ({
      ...message,
      id,
      priority: priorityNamed(message.priority),
    }));
  for (const approval of edited.values()) {
    const { workspaceId, messageId, rule, standing, expiresAt } = approval;
    const { needed, version } = standing;
    const again = { workspaceId, messageId, rule, needed, version, expiresAt };
    const notice = await askInChat(tx, again);
    if (notice !== null) sends.push(notice);
  }
  const said: FollowUp[] = [];
  for (const { approval, by, isApproved, reason } of ends) {
    const { workspaceId, noticeId } = approval;
    if (noticeId === null) continue;
    const name = await nameOf(tx, workspaceId, by.approver);
    const text = decidedBy(isApproved ? "approved" : "rejected", name, reason);
    said.push({ workspaceId, noticeId, text });
  }
  sends.push(...(await followUp(tx, said)));
  // All lanes in one statement, which takes them in one order.
  if (sends.length > 0) await enqueueSends(tx, jobs, sends);
}
