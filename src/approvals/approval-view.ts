import type { MessageEntity } from "../outbound/index.ts";
import type { Queryable } from "../platform/index.ts";
import { type ApprovalState, type Given, missing } from "./judge.ts";
import { type Lead, leadsOf } from "./leads.ts";
import { APPROVER_NAME, AUTHOR_NAME, CHAT_TITLE } from "./names.ts";

/** An approval as its workspace sees it in a list. */
export interface ApprovalSummary {
  messageId: string;
  state: ApprovalState;
  connectorId: string;
  connectorName: string;
  chatId: string;
  /** Null where the chat is not known, or has none. */
  chatTitle: string | null;
  rule: { id: string; name: string };
  /** `key:<id>` of whoever submitted the message. */
  author: string | null;
  /** How that key is called; null where it is gone. */
  authorName: string | null;
  /** The broadcast that it stands for, and for how many chats; of those, how many want none. */
  broadcast?: { id: string; recipients: number; optedOut: number };
  needed: number;
  /** Approvals that are still missing, of the message as it is now. */
  missing: number;
  /** SHA-256 of all that is sent, in hex: names what somebody has seen. */
  version: string;
  /** When it is to go out; absent: once approved. */
  sendAt?: string;
  askedAt: string;
  expiresAt: string;
  decidedAt?: string;
}

/** The same, with what was said and what is to be sent. */
export interface ApprovalView extends ApprovalSummary {
  decisions: Array<{
    approver: string;
    /** Null where the person or key is gone. */
    approverName: string | null;
    verdict: Given["verdict"];
    reason?: string;
    version: string;
    /** Of an edit: the version before. */
    fromVersion?: string;
    at: string;
  }>;
  /** All that is sent, by name. */
  message: Record<string, unknown>;
  /** What the words of its text don't say themselves. */
  leads: Lead[];
  /** Our message that it edits, deletes, pins or unpins, as it is now. */
  changes?: { messageId: string; text: string };
}

interface SummaryRow {
  message_id: string;
  seq: string;
  state: ApprovalState;
  connector_id: string;
  connector_name: string;
  chat_id: string;
  chat_title: string | null;
  rule_id: string;
  rule_name: string;
  submitted_by: string | null;
  author_name: string | null;
  broadcast: { id: string; recipients: number; optedOut: number } | null;
  needed: number;
  version: string;
  send_at: Date | null;
  asked_at: Date;
  expires_at: Date;
  decided_at: Date | null;
  given: DecisionRow[];
}

interface DecisionRow extends Given {
  reason: string | null;
  fromVersion: string | null;
  at: string;
}

/** Of `approvals a` and `outbound_messages m`. */
const COLUMNS = `a.message_id, a.seq, a.state, m.connector_id, (
    SELECT k.name FROM connectors k WHERE k.workspace_id = m.workspace_id AND k.id = m.connector_id
  ) AS connector_name, m.chat_id, ${CHAT_TITLE} AS chat_title, a.rule_id,
  a.rule ->> 'name' AS rule_name, m.submitted_by, ${AUTHOR_NAME} AS author_name, (
    SELECT json_build_object('id', b.id, 'recipients', b.recipients, 'optedOut', b.opted_out)
    FROM broadcasts b WHERE b.workspace_id = m.workspace_id AND b.id = m.broadcast_id
  ) AS broadcast, a.needed,
  encode(coalesce(a.version, outbound_digest(m)), 'hex') AS version, m.send_at, a.asked_at, a.expires_at,
  a.decided_at, (
    SELECT coalesce(json_agg(json_build_object('approver', d.approver, 'verdict', d.verdict,
        'version', encode(d.version, 'hex'), 'fromVersion', encode(d.from_version, 'hex'),
        'reason', d.reason, 'at', d.at) ORDER BY d.at), '[]')
    FROM approval_decisions d
    WHERE d.workspace_id = a.workspace_id AND d.message_id = a.message_id
  ) AS given`;

const LIST = `/* approvals.list */
SELECT ${COLUMNS} FROM (
  SELECT * FROM approvals
  WHERE workspace_id = $1 AND state = $2 AND ($3::bigint IS NULL OR seq < $3)
  ORDER BY seq DESC LIMIT $4
) a
JOIN outbound_messages m ON m.workspace_id = a.workspace_id AND m.id = a.message_id
ORDER BY a.seq DESC`;

/** Those in a state, the newest first. `beforeSeq`: the last of the page before. `rows` at most. */
export async function listApprovals(
  on: Queryable,
  request: { workspaceId: string; state: ApprovalState; beforeSeq?: string; rows: number },
): Promise<Array<{ seq: string; approval: ApprovalSummary }>> {
  const { workspaceId, state, beforeSeq, rows } = request;
  const found = await on.query<SummaryRow>(LIST, [workspaceId, state, beforeSeq ?? null, rows]);
  return found.map((row) => ({ seq: row.seq, approval: summaryOf(row) }));
}

const GET = `/* approvals.get */
SELECT ${COLUMNS}, outbound_substance(m) AS substance, (
    SELECT coalesce(json_object_agg(d.approver, ${APPROVER_NAME}), '{}') FROM approval_decisions d
    WHERE d.workspace_id = a.workspace_id AND d.message_id = a.message_id
  ) AS names, (
    SELECT json_build_object('messageId', t.id, 'text', t.text) FROM outbound_messages t
    WHERE t.workspace_id = m.workspace_id AND t.id = m.target_id
  ) AS changes
FROM approvals a
JOIN outbound_messages m ON m.workspace_id = a.workspace_id AND m.id = a.message_id
WHERE a.workspace_id = $1 AND a.message_id = $2`;

/** Null where nothing was asked about the message. */
export async function findApproval(
  on: Queryable,
  { workspaceId, messageId }: { workspaceId: string; messageId: string },
): Promise<ApprovalView | null> {
  type Row = SummaryRow & {
    substance: Record<string, unknown> & { text: string; entities: MessageEntity[] | null };
    names: Record<string, string | null>;
    changes: { messageId: string; text: string } | null;
  };
  const [row] = await on.query<Row>(GET, [workspaceId, messageId]);
  if (row === undefined) return null;
  return {
    ...summaryOf(row),
    decisions: row.given.map(({ approver, verdict, version, reason, fromVersion, at }) => ({
      approver,
      approverName: row.names[approver] ?? null,
      verdict,
      version,
      ...(reason === null ? {} : { reason }),
      ...(fromVersion === null ? {} : { fromVersion }),
      at: new Date(at).toISOString(),
    })),
    message: named(row.substance),
    leads: leadsOf(row.substance.text, row.substance.entities ?? []),
    ...(row.changes === null ? {} : { changes: row.changes }),
  };
}

/** What there is of it, in the names of the API. */
function named(substance: Record<string, unknown>): Record<string, unknown> {
  const fields = Object.entries(substance).filter(([, value]) => value !== null);
  return Object.fromEntries(
    fields.map(([name, value]) => [
      name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      value,
    ]),
  );
}

function summaryOf(row: SummaryRow): ApprovalSummary {
  const { needed, version, given } = row;
  return {
    messageId: row.message_id,
    state: row.state,
    connectorId: row.connector_id,
    connectorName: row.connector_name,
    chatId: row.chat_id,
    chatTitle: row.chat_title,
    rule: { id: row.rule_id, name: row.rule_name },
    author: row.submitted_by,
    authorName: row.author_name,
    ...(row.broadcast === null ? {} : { broadcast: row.broadcast }),
    needed,
    missing: missing({ needed, given, version }),
    version,
    ...(row.send_at === null ? {} : { sendAt: row.send_at.toISOString() }),
    askedAt: row.asked_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    ...(row.decided_at === null ? {} : { decidedAt: row.decided_at.toISOString() }),
  };
}
