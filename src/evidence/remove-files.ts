import { recordAudit } from "../audit/index.ts";
import type { Dropped, RetentionRule, Transaction } from "../platform/index.ts";
import { type KeyRow, keyColumns } from "./vault-rows.ts";

/**
 * Content of evidence goes, and what it was stays on record: names, sizes, hashes, who handed it in and
 * who approved it. The store's objects follow once nobody refers to them (vault-sweep.ts).
 */

/** Somebody may need it as it is: nothing of it is deleted. */
export class EvidenceHeld extends Error {
  override name = "EvidenceHeld";
}

const LOCK = `/* evidence.lock */
SELECT held FROM evidence WHERE workspace_id = $1 AND id = $2 FOR UPDATE`;

/** In the store, or on its row, where it waits for somebody who has it stored after all. */
const HAS_CONTENT =
  "(f.stored_file_id IS NOT NULL OR (f.written IS NOT NULL AND f.state = 'failed'))";

const REMOVE = `/* evidence.remove_files */
UPDATE evidence_files f SET stored_file_id = NULL, written = NULL, removed_at = now()
WHERE f.workspace_id = $1 AND f.evidence_id = $2 AND ${HAS_CONTENT} RETURNING f.id`;

/**
 * Removes the content of all files of a piece of evidence; answers how many had some. Waits for a hold
 * that is being placed in this moment. What is being fetched is not touched.
 *
 * @throws EvidenceHeld
 */
export async function removeFiles(
  tx: Transaction,
  { workspaceId, evidenceId }: { workspaceId: string; evidenceId: string },
): Promise<number> {
  const [evidence] = await tx.engine.query<{ held: boolean }>(LOCK, [workspaceId, evidenceId]);
  if (evidence === undefined) return 0;
  if (evidence.held) throw new EvidenceHeld("evidence under legal hold is not deleted");
  const { length: files } = await tx.engine.query(REMOVE, [workspaceId, evidenceId]);
  if (files > 0) {
    const details = { count: files, why: "asked" };
    const action = "evidence.content_removed";
    await recordAudit(tx.engine, { workspaceId, action, subjectId: evidenceId, details });
  }
  return files;
}

/** A page of all evidence of workspaces that do not keep it for ever, and what of it is over. */
const WALK = `/* evidence.walk_kept */
SELECT e.workspace_id, e.id,
  NOT e.held AND e.updated_at < now() - make_interval(days => s.keep_days) AS is_over
FROM evidence_settings s JOIN evidence e ON e.workspace_id = s.workspace_id
WHERE s.keep_days IS NOT NULL AND (e.workspace_id, e.id) > ($2::uuid, $3::uuid)
ORDER BY e.workspace_id, e.id LIMIT $1`;

/** Asked again under the lock: a hold, or a change, may have come. */
const LOCK_OVER = `/* evidence.lock_over */
SELECT e.workspace_id, e.id
FROM unnest($1::uuid[], $2::uuid[]) AS n(workspace_id, id)
JOIN evidence e ON e.workspace_id = n.workspace_id AND e.id = n.id
JOIN evidence_settings s ON s.workspace_id = e.workspace_id
WHERE NOT e.held AND e.updated_at < now() - make_interval(days => s.keep_days)
ORDER BY e.workspace_id, e.id FOR UPDATE OF e SKIP LOCKED`;

const REMOVE_OVER = `/* evidence.remove_over */
WITH removed AS (
  UPDATE evidence_files f SET stored_file_id = NULL, written = NULL, removed_at = now()
  FROM unnest($1::uuid[], $2::uuid[]) AS n(workspace_id, id)
  WHERE f.workspace_id = n.workspace_id AND f.evidence_id = n.id AND ${HAS_CONTENT}
  RETURNING f.workspace_id, f.evidence_id
)
SELECT workspace_id, evidence_id, count(*)::int AS files FROM removed GROUP BY 1, 2`;

const FIRST_ID = "00000000-0000-0000-0000-000000000000";
const EVERY_MS = 6 * 3_600_000;

/** Removes the content of evidence that did not change for longer than its workspace keeps it. */
export const evidenceRetention: RetentionRule = {
  name: "content of evidence",
  everyMs: EVERY_MS,
  dropBatch: async (tx, limit, place): Promise<Dropped> => {
    const [workspaceId = FIRST_ID, id = FIRST_ID] = place?.split("/") ?? [];
    const walked = await tx.query<KeyRow & { is_over: boolean }>(WALK, [limit, workspaceId, id]);
    const over = walked.filter(({ is_over }) => is_over);
    const last = walked.at(-1);
    return {
      rows: over.length === 0 ? 0 : await removeOver(tx, over),
      place: walked.length < limit || last === undefined ? null : `${last.workspace_id}/${last.id}`,
    };
  },
};

async function removeOver(tx: Transaction, over: KeyRow[]): Promise<number> {
  const locked = await tx.query<KeyRow>(LOCK_OVER, keyColumns(over));
  const removed = await tx.query<{ workspace_id: string; evidence_id: string; files: number }>(
    REMOVE_OVER,
    keyColumns(locked),
  );
  if (removed.length > 0) {
    await recordAudit(
      tx,
      ...removed.map(({ workspace_id, evidence_id, files }) => ({
        workspaceId: workspace_id,
        action: "evidence.content_removed" as const,
        subjectId: evidence_id,
        details: { count: files, why: "kept_long_enough" },
      })),
    );
  }
  return removed.reduce((sum, { files }) => sum + files, 0);
}
