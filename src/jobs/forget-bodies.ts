import { fewRows, type Transaction } from "../platform/index.ts";
import type { JobId } from "./types.ts";

const FORGET = `/* jobs.forget-bodies */
DELETE FROM job_bodies b
USING (
  SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS d(workspace_id, job_id) ${fewRows("$1")}
) d
WHERE b.workspace_id = d.workspace_id AND b.job_id = d.job_id`;

/**
 * Deletes the bytes that jobs were made from: to be called in the transaction that completes them, by
 * work that has found out that they must not be kept. If it rolls back they are there again.
 */
export async function forgetBodies(
  tx: Transaction,
  jobs: ReadonlyArray<{ workspaceId: string; id: JobId }>,
): Promise<void> {
  if (jobs.length === 0) return;
  await tx.query(FORGET, [jobs.map(({ workspaceId }) => workspaceId), jobs.map(({ id }) => id)]);
}
