import { recordAudit } from "../audit/index.ts";
import { type Queryable, sqlState, type Transaction } from "../platform/index.ts";
import { type EvidenceKey, holdStanding } from "./standing.ts";
import type { EvidenceState } from "./states.ts";
import { whoIs } from "./who.ts";

export interface NewEvidence {
  workspaceId: string;
  /** In the word of who begins it: document, photo, screenshot. At most 100 characters. */
  type: string;
  /** At most 4,000 characters. */
  description: string;
  /** `requested`: somebody is to hand it in. `draft`: somebody is about to. */
  status: "requested" | "draft";
  controlId?: string;
  /** A person of the workspace. */
  requestedOf?: string;
  /** Days, as `2026-12-31`. */
  dueOn?: string;
  expiresOn?: string;
  /** `telegram:<user id>`, `person:<id>` or `key:<id>`. */
  createdBy: string;
}

const FIELD_OF: Record<string, "controlId" | "requestedOf"> = {
  evidence_control: "controlId",
  evidence_requested_of: "requestedOf",
};

/**
 * The field that names what the workspace has not, by what `createEvidence` and `changeEvidence` threw;
 * undefined: it is about something else.
 */
export function unknownField(error: unknown): "controlId" | "requestedOf" | undefined {
  if (sqlState(error) !== "23503") return undefined;
  return FIELD_OF[(error as { constraint?: string }).constraint ?? ""];
}

const INSERT = `/* evidence.create */
INSERT INTO evidence (workspace_id, type, description, status, control_id, requested_of, due_on,
  expires_on, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7::date, $8::date, $9)
RETURNING id, number`;

/**
 * In the caller's transaction, with its entry; as all changes here. Throws Postgres's 23503 for a control
 * or a person that the workspace has not: see `unknownField`.
 */
export async function createEvidence(
  tx: Queryable,
  evidence: NewEvidence,
): Promise<{ id: string; number: string }> {
  const { workspaceId, status, controlId } = evidence;
  const by = await whoIs(tx, workspaceId, evidence.createdBy);
  const [row] = await tx.query<{ id: string; number: string }>(INSERT, [
    workspaceId,
    evidence.type,
    evidence.description,
    status,
    controlId ?? null,
    evidence.requestedOf ?? null,
    evidence.dueOn ?? null,
    evidence.expiresOn ?? null,
    by.name,
  ]);
  if (row === undefined) throw new Error("an insert without a condition gave no row");
  const details = { status, controlId };
  await recordAudit(tx, { workspaceId, action: "evidence.created", subjectId: row.id, details });
  return row;
}

/** What is given is changed; null takes it away. */
export interface EvidenceChange {
  type?: string;
  description?: string;
  controlId?: string | null;
  requestedOf?: string | null;
  dueOn?: string | null;
  expiresOn?: string | null;
}

const COLUMN_OF: Record<keyof EvidenceChange, string> = {
  type: "type",
  description: "description",
  controlId: "control_id",
  requestedOf: "requested_of",
  dueOn: "due_on",
  expiresOn: "expires_on",
};
const FIELDS = Object.keys(COLUMN_OF) as (keyof EvidenceChange)[];

const CHANGE = `/* evidence.change */
UPDATE evidence SET
  ${FIELDS.map(
    (field, n) => `${COLUMN_OF[field]} = CASE WHEN '${field}' = ANY ($3::text[])
    THEN $${n + 4} ELSE ${COLUMN_OF[field]} END`,
  ).join(",\n  ")},
  version = version + 1, updated_at = now()
WHERE workspace_id = $1 AND id = $2
RETURNING id`;

/** What was approved until a day counts no longer because somebody says so: that is for who approves. */
export class LastDayStands extends Error {
  override name = "LastDayStands";
}

/** Under the evidence's row. */
const COUNTS_LONGER = `/* evidence.counts-longer */
SELECT 1 AS yes FROM evidence WHERE workspace_id = $1 AND id = $2
  AND approved_revision IS NOT NULL AND coalesce($3::date, 'infinity') > expires_on`;

/**
 * False when the workspace has no such evidence. Throws as `createEvidence` does, and `LastDayStands` for
 * a later day, or none, while what was approved until a day counts.
 */
export async function changeEvidence(
  tx: Queryable,
  { workspaceId, evidenceId }: EvidenceKey,
  change: EvidenceChange,
): Promise<boolean> {
  const fields = FIELDS.filter((field) => change[field] !== undefined);
  if (fields.length === 0) return (await holdStanding(tx, { workspaceId, evidenceId })) !== null;
  if (change.expiresOn !== undefined) {
    await holdStanding(tx, { workspaceId, evidenceId });
    const params = [workspaceId, evidenceId, change.expiresOn];
    if ((await tx.query(COUNTS_LONGER, params)).length > 0) {
      throw new LastDayStands("the last day of what is approved is not put off");
    }
  }
  const values = FIELDS.map((field) => change[field] ?? null);
  const rows = await tx.query(CHANGE, [workspaceId, evidenceId, fields, ...values]);
  if (rows.length === 0) return false;
  const action = "evidence.updated" as const;
  await recordAudit(tx, { workspaceId, action, subjectId: evidenceId, details: { fields } });
  return true;
}

/** What is looked at, or was approved, stays as whoever decides has seen it. */
const IN_THE_MAKING: ReadonlySet<EvidenceState> = new Set(["requested", "draft", "rejected"]);

/** Of whoever hands it in: false also where it is not theirs to change any more. */
async function changeInTheMaking(
  tx: Queryable,
  { workspaceId, evidenceId }: EvidenceKey,
  change: EvidenceChange,
): Promise<boolean> {
  const key = { workspaceId, evidenceId };
  const standing = await holdStanding(tx, key);
  if (standing === null || !IN_THE_MAKING.has(standing.state)) return false;
  return changeEvidence(tx, key, change);
}

/**
 * Null: it belongs to no control. Answers and throws as `changeEvidence` does, and answers false for what
 * waits for its review or is approved: only a key changes that.
 */
export const setControl = (
  tx: Queryable,
  { controlId, ...key }: EvidenceKey & { controlId: string | null },
): Promise<boolean> => changeInTheMaking(tx, key, { controlId });

/** As `setControl`. */
export const describe = (
  tx: Queryable,
  { description, ...key }: EvidenceKey & { description: string },
): Promise<boolean> => changeInTheMaking(tx, key, { description });

/** Where nothing was handed in, and nobody holds it: what was, stays. */
const REMOVE = `/* evidence.remove */
DELETE FROM evidence WHERE workspace_id = $1 AND id = $2 AND revision = 0 AND NOT held RETURNING id`;

/** False: there is no such evidence, or it is not to be removed. */
export async function removeEvidence(
  tx: Transaction,
  { workspaceId, evidenceId }: EvidenceKey,
): Promise<boolean> {
  const rows = await tx.engine.query(REMOVE, [workspaceId, evidenceId]);
  if (rows.length === 0) return false;
  await recordAudit(tx, { workspaceId, action: "evidence.removed", subjectId: evidenceId });
  return true;
}
