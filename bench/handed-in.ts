import type { NewJob } from "../src/jobs/index.ts";
import type { Database } from "../src/platform/index.ts";
import type { BenchBot } from "./environment.ts";

/** A file that somebody handed in, as it waits to be fetched; and the job that fetches it. */
export async function handIn(
  db: Database,
  { workspaceId, connectorId }: BenchBot,
): Promise<{ fileId: string; job: NewJob }> {
  const [row] = await db.query<{ id: string }>(
    `WITH made AS (
       INSERT INTO evidence (workspace_id, status, created_by, revision)
       VALUES ($1, 'draft', 'telegram:1', 1) RETURNING id
     ), revised AS (
       INSERT INTO evidence_revisions (workspace_id, evidence_id, number, submitted_by)
       SELECT $1, id, 1, 'telegram:1' FROM made
     )
     INSERT INTO evidence_files (workspace_id, evidence_id, revision, state, name, kind, connector_id,
       chat_id, message_id, telegram_file_id, telegram_unique_id)
     SELECT $1, id, 1, 'queued', 'file.bin', 'document', $2, 5, 1, 'f', gen_random_uuid()::text
     FROM made RETURNING id`,
    [workspaceId, connectorId],
  );
  const fileId = row?.id ?? "";
  const job: NewJob = {
    queue: "evidence",
    lane: `${connectorId}/0`,
    workspaceId,
    kind: "download",
    payload: { fileId },
    urgent: true,
  };
  return { fileId, job };
}
