import { type Actor, recordAudit } from "../audit/index.ts";
import type { Transaction } from "../platform/index.ts";
import {
  type ConversationRow,
  type ConversationView,
  findConversation,
} from "./conversation-view.ts";
import { isBigint } from "./paging.ts";
import { afterChange, type QueueChange, type QueueState } from "./queue-status.ts";

/** Somebody else changed the conversation since the version that a change was based on. */
export class ChangedMeanwhile extends Error {
  override name = "ChangedMeanwhile";
  readonly version: number;
  constructor(version: number) {
    super(`The conversation has changed since: it is at version ${version}.`);
    this.version = version;
  }
}

type StateRow = Pick<
  ConversationRow,
  | "status"
  | "assignee"
  | "snoozed_until"
  | "waiting_since"
  | "opened_at"
  | "first_responded_at"
  | "resolved_at"
  | "reopens"
  | "version"
>;

const HOLD = `/* conversations.hold-state */
SELECT status, assignee, snoozed_until, waiting_since, opened_at, first_responded_at, resolved_at,
  reopens, version
FROM conversations WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE`;

/** Its events are left by the table's trigger. */
const CHANGE = `/* conversations.change-state */
UPDATE conversations SET status = $3, assignee = $4, snoozed_until = $5, waiting_since = $6,
  resolved_at = $7, last_actor_kind = $8, last_actor = $9
WHERE workspace_id = $1 AND id = $2`;

/**
 * A member's change of whose turn it is, or of who looks after it, at `nowMs`, in the caller's
 * transaction, with its entry in the audit log. Two who change at once take turns: the later one
 * wins, and both have left their events; with `version` it is refused instead (`ChangedMeanwhile`).
 * What changes nothing leaves nothing. Null when the workspace has no such conversation. Throws
 * `ImpossibleChange` (queue-status.ts).
 */
export async function changeConversation(
  tx: Transaction,
  request: {
    workspaceId: string;
    id: string;
    change: QueueChange;
    version?: number;
    by: Actor;
    nowMs: number;
  },
): Promise<ConversationView | null> {
  const { workspaceId, id, change, version, by, nowMs } = request;
  if (!isBigint(id)) return null;
  const [row] = await tx.query<StateRow>(HOLD, [workspaceId, id]);
  if (row === undefined) return null;
  if (version !== undefined && version !== row.version) throw new ChangedMeanwhile(row.version);
  const before = stateOf(row);
  const after = afterChange(before, change, nowMs);
  const fields = changedFields(before, after);
  if (fields.length > 0) {
    await tx.query(CHANGE, [
      workspaceId,
      id,
      after.status,
      after.assignee ?? "",
      dateOf(after.snoozedUntilMs),
      dateOf(after.waitingSinceMs),
      dateOf(after.resolvedAtMs),
      by.kind,
      by.id,
    ]);
    const details = { fields, from: before.status, to: after.status };
    const changed = { action: "conversation.updated", subjectId: id, details } as const;
    await recordAudit(tx, { workspaceId, ...changed });
  }
  return findConversation(tx, { workspaceId, id });
}

function changedFields(before: QueueState, after: QueueState): string[] {
  return [
    ...(before.status === after.status ? [] : ["status"]),
    ...(before.assignee === after.assignee ? [] : ["assignee"]),
    ...(before.snoozedUntilMs === after.snoozedUntilMs ? [] : ["snoozedUntil"]),
  ];
}

const stateOf = (row: StateRow): QueueState => ({
  status: row.status,
  assignee: row.assignee || null,
  snoozedUntilMs: msOf(row.snoozed_until),
  waitingSinceMs: msOf(row.waiting_since),
  openedAtMs: msOf(row.opened_at),
  firstRespondedAtMs: msOf(row.first_responded_at),
  resolvedAtMs: msOf(row.resolved_at),
  reopens: row.reopens,
});

const msOf = (time: Date | null): number | null => time?.getTime() ?? null;
const dateOf = (ms: number | null): Date | null => (ms === null ? null : new Date(ms));
