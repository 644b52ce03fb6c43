import { randomUUID } from "node:crypto";
import { recordAudit } from "../audit/index.ts";
import type { Queryable, Transaction } from "../platform/index.ts";

/** An audit that is planned or going on. */
export interface AuditUnderWay {
  code: string;
  title: string;
  status: "planned" | "in_progress";
}

const UNDER_WAY = `/* register.audits-under-way */
SELECT code, title, status FROM audits
WHERE workspace_id = $1 AND status IN ('planned', 'in_progress')
ORDER BY created_at DESC LIMIT $2`;

/** The newest first. */
export function auditsUnderWay(
  on: Queryable,
  { workspaceId, limit }: { workspaceId: string; limit: number },
): Promise<AuditUnderWay[]> {
  return on.query<AuditUnderWay>(UNDER_WAY, [workspaceId, limit]);
}

/** One at a time draws a number in a workspace; held until the transaction ends. */
const LOCK = `/* register.lock-audit-numbers */
SELECT pg_advisory_xact_lock(hashtext('heliograph audit number'), hashtext($1))`;

/** Sees what others committed while this one waited. */
const HIGHEST = `/* register.highest-audit-number */
SELECT substring(code FROM 4)::integer AS number FROM audits
WHERE workspace_id = $1 AND code ~ '^AU-[1-9][0-9]{0,5}$'
ORDER BY substring(code FROM 4)::integer DESC LIMIT 1`;

const INSERT = `/* register.plan-audit */
INSERT INTO audits (workspace_id, code, title, type, framework_id, status)
VALUES ($1, $2, $3, $4, $5, 'planned')
ON CONFLICT ON CONSTRAINT audits_code DO NOTHING RETURNING id, code`;

/** Somebody may write codes of the same shape by hand, at the same moment. */
const TRIES = 5;

export interface WantedAudit {
  workspaceId: string;
  /** In the word of who asks: 1 to 100 characters. */
  type: string;
  title: string;
  frameworkId: string | null;
}

/**
 * Plans an audit, with its entry in the audit log, as the engine. Its code is `AU-` and the next number
 * of the workspace: never one that is taken, whoever else draws one.
 */
export async function planAudit(
  tx: Transaction,
  { workspaceId, type, title, frameworkId }: WantedAudit,
): Promise<{ id: string; code: string }> {
  await tx.query(LOCK, [workspaceId]);
  const [highest] = await tx.query<{ number: number }>(HIGHEST, [workspaceId]);
  const next = (highest?.number ?? 0) + 1;
  for (let n = 0; n <= TRIES; n++) {
    const code = n < TRIES ? `AU-${next + n}` : `AU-${randomUUID()}`;
    const values = [workspaceId, code, title, type, frameworkId];
    const [planned] = await tx.query<{ id: string; code: string }>(INSERT, values);
    if (planned === undefined) continue;
    const details = { kind: "audit" };
    const subjectId = planned.id;
    await recordAudit(tx, { workspaceId, action: "entry.created", subjectId, details });
    return planned;
  }
  throw new Error("no code was free for an audit");
}
