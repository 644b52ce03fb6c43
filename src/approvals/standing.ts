import type { Button, Content, NewMessage } from "../outbound/index.ts";
import { fewRows, type Transaction } from "../platform/index.ts";
import type { ApprovalState, Given, Standing } from "./judge.ts";
import type { RuleSnapshot } from "./rule-for.ts";

/** A message of a workspace. */
export interface MessageId {
  workspaceId: string;
  messageId: string;
}

export const keyOf = ({ workspaceId, messageId }: MessageId): string =>
  `${workspaceId}/${messageId}`;

/** An approval, held with its message until the transaction ends. */
export interface Held extends MessageId {
  standing: Standing;
  rule: RuleSnapshot;
  noticeId: string | null;
  expiresAt: Date;
  /** What is asked about. */
  message: Pick<NewMessage, "workspaceId" | "connectorId" | "chatId" | "text" | "content"> & {
    buttons: Button[][] | undefined;
    priority: number;
    sendAt: Date | undefined;
    causeId: string | undefined;
  };
}

/**
 * The message's row is the lock: whoever approves, rejects, edits, cancels or lets time pass takes it
 * first, and by order of ids. As the engine, since a workspace's own statements change no message.
 */
const HOLD = `/* approvals.hold-messages */
SELECT m.id FROM (
  SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS k(workspace_id, id) ${fewRows("$1")}
) k
JOIN outbound_messages m USING (workspace_id, id)
ORDER BY m.workspace_id, m.id FOR NO KEY UPDATE OF m`;

/** Read once they are held: what somebody committed meanwhile is seen. */
const READ = `/* approvals.read-standing */
SELECT a.workspace_id, a.message_id, a.state, a.needed, a.rule, a.notice_id, a.expires_at,
  a.expires_at <= clock_timestamp() AS is_due, encode(outbound_digest(m), 'hex') AS version,
  m.connector_id, m.chat_id, m.text, m.content, m.buttons, m.priority, m.send_at,
  m.cause_id, m.submitted_by,
  (SELECT coalesce(json_agg(json_build_object('approver', d.approver, 'verdict', d.verdict,
      'version', encode(d.version, 'hex'))), '[]')
    FROM approval_decisions d
    WHERE d.workspace_id = a.workspace_id AND d.message_id = a.message_id) AS given
FROM (
  SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS k(workspace_id, message_id) ${fewRows("$1")}
) k
JOIN approvals a USING (workspace_id, message_id)
JOIN outbound_messages m ON m.workspace_id = a.workspace_id AND m.id = a.message_id`;

interface HeldRow {
  workspace_id: string;
  message_id: string;
  state: ApprovalState;
  needed: number;
  rule: Held["rule"];
  notice_id: string | null;
  expires_at: Date;
  is_due: boolean;
  version: string;
  connector_id: string;
  chat_id: string;
  text: string;
  content: Content | null;
  buttons: Button[][] | null;
  priority: number;
  send_at: Date | null;
  cause_id: string | null;
  submitted_by: string | null;
  given: Given[];
}

/** Those of the messages that were asked about, held, by `keyOf`. Messages come before lanes. */
export async function holdApprovals(
  tx: Transaction,
  messages: readonly MessageId[],
): Promise<Map<string, Held>> {
  if (messages.length === 0) return new Map();
  const keys = [
    messages.map(({ workspaceId }) => workspaceId),
    messages.map(({ messageId }) => messageId),
  ];
  await tx.engine.query(HOLD, keys);
  const rows = await tx.query<HeldRow>(READ, keys);
  return new Map(rows.map(heldOf).map((held) => [keyOf(held), held]));
}

function heldOf(row: HeldRow): Held {
  return {
    workspaceId: row.workspace_id,
    messageId: row.message_id,
    standing: {
      state: row.state,
      isDue: row.is_due,
      needed: row.needed,
      author: row.submitted_by,
      personIds: row.rule.personIds,
      version: row.version,
      given: row.given,
    },
    rule: row.rule,
    noticeId: row.notice_id,
    expiresAt: row.expires_at,
    message: {
      workspaceId: row.workspace_id,
      connectorId: row.connector_id,
      chatId: row.chat_id,
      text: row.text,
      content: row.content ?? undefined,
      buttons: row.buttons ?? undefined,
      priority: row.priority,
      sendAt: row.send_at ?? undefined,
      causeId: row.cause_id ?? undefined,
    },
  };
}
