import type { Queryable } from "../platform/index.ts";
import type { EvidenceState, Standing } from "./states.ts";

/** One piece of evidence of one workspace. */
export interface EvidenceKey {
  workspaceId: string;
  evidenceId: string;
}

/** The row is the lock: whoever changes evidence, its revisions or its files takes it first. */
const HOLD = `/* evidence.hold-row */
SELECT status AS state, revision, approved_revision AS "approvedRevision"
FROM evidence WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE`;

/** Where it stands, until the transaction ends; null: the workspace has no such evidence. */
export async function holdStanding(
  tx: Queryable,
  { workspaceId, evidenceId }: EvidenceKey,
): Promise<Standing | null> {
  const [row] = await tx.query<Standing & { state: EvidenceState }>(HOLD, [
    workspaceId,
    evidenceId,
  ]);
  return row ?? null;
}

const WRITE = `/* evidence.write-standing */
UPDATE evidence SET status = $3, revision = $4, approved_revision = $5,
  expires_on = coalesce($6::date, expires_on), version = version + 1, updated_at = now()
WHERE workspace_id = $1 AND id = $2`;

/** `expiresOn`: until when it counts, where that is said with it. */
export async function writeStanding(
  tx: Queryable,
  { workspaceId, evidenceId }: EvidenceKey,
  { state, revision, approvedRevision }: Standing,
  expiresOn?: string,
): Promise<void> {
  const columns = [state, revision, approvedRevision, expiresOn ?? null];
  await tx.query(WRITE, [workspaceId, evidenceId, ...columns]);
}
