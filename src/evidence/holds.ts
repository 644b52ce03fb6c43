import { recordAudit } from "../audit/index.ts";
import type { Queryable } from "../platform/index.ts";
import type { EvidenceKey } from "./standing.ts";

/**
 * Legal holds: somebody may need evidence as it is. As long as one hold stands neither it nor a file of
 * it is deleted, by anybody: the database refuses it, and keeps `evidence.held` in step.
 */
export interface HoldView {
  id: string;
  reason: string;
  placedBy: string;
  placedAt: string;
  /** Null: it stands. */
  releasedBy: string | null;
  releasedAt: string | null;
}

interface HoldRow {
  id: string;
  reason: string;
  placed_by: string;
  placed_at: Date;
  released_by: string | null;
  released_at: Date | null;
}

const COLUMNS = "h.id, h.reason, h.placed_by, h.placed_at, h.released_by, h.released_at";

const PLACE = `/* evidence.place-hold */
INSERT INTO legal_holds AS h (workspace_id, evidence_id, reason, placed_by)
SELECT e.workspace_id, e.id, $3, $4 FROM evidence e WHERE e.workspace_id = $1 AND e.id = $2
RETURNING ${COLUMNS}`;

/** In the caller's transaction, with its entry; null when the workspace has no such evidence. */
export async function placeHold(
  tx: Queryable,
  { workspaceId, evidenceId, reason, by }: EvidenceKey & { reason: string; by: string },
): Promise<HoldView | null> {
  const [row] = await tx.query<HoldRow>(PLACE, [workspaceId, evidenceId, reason, by]);
  if (row === undefined) return null;
  const details = { holdId: row.id };
  await recordAudit(tx, { workspaceId, action: "evidence.held", subjectId: evidenceId, details });
  return viewOf(row);
}

const RELEASE = `/* evidence.release-hold */
UPDATE legal_holds h SET released_at = now(), released_by = $4
WHERE h.workspace_id = $1 AND h.evidence_id = $2 AND h.id = $3 AND h.released_at IS NULL
RETURNING ${COLUMNS}`;

/** In the caller's transaction, with its entry; null when no such hold stands. */
export async function releaseHold(
  tx: Queryable,
  { workspaceId, evidenceId, holdId, by }: EvidenceKey & { holdId: string; by: string },
): Promise<HoldView | null> {
  const [row] = await tx.query<HoldRow>(RELEASE, [workspaceId, evidenceId, holdId, by]);
  if (row === undefined) return null;
  const details = { holdId };
  await recordAudit(tx, {
    workspaceId,
    action: "evidence.released",
    subjectId: evidenceId,
    details,
  });
  return viewOf(row);
}

const LIST = `/* evidence.holds */
SELECT ${COLUMNS} FROM legal_holds h
WHERE h.workspace_id = $1 AND h.evidence_id = $2 ORDER BY h.placed_at DESC, h.id LIMIT 100`;

/** The newest hundred, those that were released too. */
export async function listHolds(
  on: Queryable,
  { workspaceId, evidenceId }: EvidenceKey,
): Promise<HoldView[]> {
  return (await on.query<HoldRow>(LIST, [workspaceId, evidenceId])).map(viewOf);
}

const viewOf = (row: HoldRow): HoldView => ({
  id: row.id,
  reason: row.reason,
  placedBy: row.placed_by,
  placedAt: row.placed_at.toISOString(),
  releasedBy: row.released_by,
  releasedAt: row.released_at?.toISOString() ?? null,
});
