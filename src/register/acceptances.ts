import { recordAudit } from "../audit/index.ts";
import type { Queryable } from "../platform/index.ts";
import { findEntry } from "./entries.ts";
import { EntryRefused } from "./entry-refusals.ts";

/** That somebody took a risk as it then was. Never changed, never deleted. */
export interface Acceptance {
  id: string;
  riskId: string;
  /** Who, as audit entries name them: `key:<id>`, `person:<id>`, `telegram:<id>`. */
  acceptedBy: string;
  reason: string;
  /** The risk's, at that time; null: nobody had assessed it. */
  score: number | null;
  /** The last day on which it holds; null: until somebody decides otherwise. */
  validUntil: string | null;
  acceptedAt: string;
}

interface AcceptanceRow extends Omit<Acceptance, "acceptedAt"> {
  acceptedAt: Date;
  /** To the microsecond, for the place in a list. */
  at: string;
}

const COLUMNS = `a.id, a.risk_id AS "riskId", a.accepted_by AS "acceptedBy", a.reason, a.score,
  a.valid_until::text AS "validUntil", a.accepted_at AS "acceptedAt", a.accepted_at::text AS at`;

/** The risk's row is held: its score is the one that was accepted. */
const TREAT = `/* register.accept-risk */
UPDATE risks SET treatment = 'accept', version = version + 1, updated_at = now()
WHERE workspace_id = $1 AND id = $2 AND ($3::integer IS NULL OR version = $3) RETURNING score`;

const INSERT = `/* register.insert-acceptance */
INSERT INTO risk_acceptances AS a (workspace_id, risk_id, accepted_by, reason, score, valid_until)
VALUES ($1, $2, $3, $4, $5, $6) RETURNING ${COLUMNS}`;

/**
 * Accepts a risk: its treatment is `accept` from now on. In the caller's transaction, with its audit
 * entry; null when the workspace has no such risk. `version`: only if the risk is still the one that was
 * read; throws `EntryRefused` otherwise, since nobody can take an acceptance back.
 */
export async function acceptRisk(
  tx: Queryable,
  {
    workspaceId,
    riskId,
    by,
    reason,
    validUntil = null,
    version = null,
  }: {
    workspaceId: string;
    riskId: string;
    by: string;
    reason: string;
    validUntil?: string | null;
    version?: number | null;
  },
): Promise<Acceptance | null> {
  const [risk] = await tx.query<{ score: number | null }>(TREAT, [workspaceId, riskId, version]);
  if (risk === undefined) {
    const now = await findEntry(tx, { workspaceId, kind: "risk", id: riskId });
    if (now === null) return null;
    const words = `This risk was changed meanwhile: it is at version ${now.version}.`;
    throw new EntryRefused("stale", words, ["version"]);
  }
  const params = [workspaceId, riskId, by, reason, risk.score, validUntil];
  const [row] = await tx.query<AcceptanceRow>(INSERT, params);
  if (row === undefined) throw new Error("an insert without a condition gave no row");
  const details = { acceptanceId: row.id };
  await recordAudit(tx, { workspaceId, action: "risk.accepted", subjectId: riskId, details });
  return viewOf(row);
}

const LIST = `/* register.list-acceptances */
SELECT ${COLUMNS} FROM risk_acceptances a
WHERE a.workspace_id = $1 AND a.risk_id = $2
  AND (a.accepted_at, a.id) > ($3::timestamptz, $4::uuid)
ORDER BY a.accepted_at, a.id LIMIT $5`;

/** Where an acceptance stands in its list. */
export interface AcceptancePlace {
  at: string;
  id: string;
}

const BEGINNING: AcceptancePlace = { at: "-infinity", id: "00000000-0000-0000-0000-000000000000" };

/** The oldest first; with the place of the last one. */
export async function listAcceptances(
  on: Queryable,
  { workspaceId, riskId }: { workspaceId: string; riskId: string },
  { limit, after = BEGINNING }: { limit: number; after?: AcceptancePlace },
): Promise<{ data: Acceptance[]; next: AcceptancePlace | null }> {
  const params = [workspaceId, riskId, after.at, after.id, limit + 1];
  const rows = await on.query<AcceptanceRow>(LIST, params);
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { data: page.map(viewOf), next: more ? { at: last.at, id: last.id } : null };
}

const viewOf = ({ at: _, acceptedAt, ...row }: AcceptanceRow): Acceptance => ({
  ...row,
  acceptedAt: acceptedAt.toISOString(),
});
