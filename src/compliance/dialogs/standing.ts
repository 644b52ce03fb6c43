import type { Queryable } from "../../platform/index.ts";
import type { Standing } from "./machine.ts";
import { namesOf } from "./names.ts";

interface Key {
  workspaceId: string;
  evidenceId: string;
}

interface StandingRow {
  status: string;
  revision: number;
  decided_by: string | null;
  reason: string | null;
}

const READ = `/* dialogs.standing */
SELECT e.status, e.revision, r.decided_by, r.reason
FROM evidence e
LEFT JOIN evidence_revisions r ON r.workspace_id = e.workspace_id AND r.evidence_id = e.id
  AND r.number = e.revision
WHERE e.workspace_id = $1 AND e.id = $2`;

/** Chats have not been told of it yet. */
export const TO_TELL = `(e.told IS NOT NULL OR e.status IN ('in_review', 'approved', 'rejected'))
  AND e.told IS DISTINCT FROM e.revision::text || '/' || e.status`;
/** By itself: what is read with a row that was waited for is as old as the wait. */
const HOLD = `/* dialogs.hold-to-tell */
SELECT 1 AS one FROM evidence e
WHERE e.workspace_id = $1 AND e.id = $2 AND ${TO_TELL} FOR NO KEY UPDATE`;

/** In `review_connector_id`: it came by no bot. */
export const BY_API = "'00000000-0000-0000-0000-000000000000'::uuid";

const MARK = `/* dialogs.mark-told */
UPDATE evidence e SET told = e.revision::text || '/' || e.status, review_connector_id = coalesce((
  SELECT f.connector_id FROM evidence_files f
  WHERE f.evidence_id = e.id AND f.workspace_id = e.workspace_id AND f.revision = e.revision
    AND f.connector_id IS NOT NULL
  ORDER BY f.position, f.id LIMIT 1), ${BY_API})
WHERE e.workspace_id = $1 AND e.id = $2`;

/** Null: the workspace has no such evidence. */
export async function readStanding(
  on: Queryable,
  { workspaceId, evidenceId }: Key,
): Promise<Standing | null> {
  const [row] = await on.query<StandingRow>(READ, [workspaceId, evidenceId]);
  if (row === undefined) return null;
  const { status, revision, decided_by: who, reason } = row;
  const names = await namesOf(on, workspaceId, who === null ? [] : [who]);
  return { status, revision, reason, decidedBy: names.get(who ?? "") ?? null };
}

/** Held; null: chats have been told how it stands. */
export async function holdToTell(tx: Queryable, key: Key): Promise<Standing | null> {
  const held = await tx.query(HOLD, [key.workspaceId, key.evidenceId]);
  return held.length === 0 ? null : readStanding(tx, key);
}

/** From now on what is in review is given to those who review it. */
export async function markTold(tx: Queryable, { workspaceId, evidenceId }: Key): Promise<void> {
  await tx.query(MARK, [workspaceId, evidenceId]);
}
