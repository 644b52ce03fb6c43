import type { Job, JobId } from "../../jobs/index.ts";
import { fewRows, type Queryable, type Transaction } from "../../platform/index.ts";
import { takeKnown } from "../vault-rows.ts";

/** A file that is to be fetched, and what its workspace takes. Ids of Telegram are decimal strings. */
export interface DownloadRow {
  workspaceId: string;
  id: string;
  evidenceId: string;
  connectorId: string;
  chatId: string;
  messageId: string;
  /** document, photo, location and so on. */
  kind: string;
  /** Null: there is nothing to fetch. */
  telegramFileId: string | null;
  /** What is to stand in it, where nothing is fetched. */
  written: string | null;
  /** Null: nobody said. */
  telegramUniqueId: string | null;
  claimedBytes: number | null;
  /** As Telegram said when it was last begun; null: it was not, or nothing is left of that. */
  announcedBytes: number | null;
  maxBytes: number;
  /** By content; none: any. */
  contentTypes: string[];
}

const DEFAULT_MAX_BYTES = 2_147_483_648;

/**
 * Rows are locked in one order, by whoever locks several: downloads of an album end together. What is
 * not in the answer needs no fetching: it was fetched, given up, or is gone.
 */
const BEGIN = `/* evidence.download-begin */
WITH asked AS MATERIALIZED (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS a(workspace_id, id, job_id)
  ${fewRows("$1")}
), locked AS MATERIALIZED (
  SELECT f.workspace_id, f.id, a.job_id FROM asked a
  JOIN evidence_files f ON f.workspace_id = a.workspace_id AND f.id = a.id
  WHERE f.state IN ('queued', 'downloading')
    AND f.connector_id IS NOT NULL AND (f.telegram_file_id IS NOT NULL OR f.written IS NOT NULL)
  ORDER BY f.workspace_id, f.id
  FOR NO KEY UPDATE OF f
), begun AS (
  UPDATE evidence_files f SET state = 'downloading', error = NULL, fault = NULL,
    begun_bytes = f.received_bytes
  FROM locked l WHERE f.workspace_id = l.workspace_id AND f.id = l.id
  RETURNING l.job_id, f.workspace_id, f.id, f.evidence_id, f.connector_id, f.chat_id, f.message_id,
    f.kind, f.telegram_file_id, f.written, f.telegram_unique_id, f.claimed_bytes, f.announced_bytes
)
SELECT b.job_id AS "jobId", b.workspace_id AS "workspaceId", b.id, b.evidence_id AS "evidenceId",
  b.connector_id AS "connectorId", b.chat_id AS "chatId", b.message_id AS "messageId",
  b.kind, b.telegram_file_id AS "telegramFileId", b.written,
  b.telegram_unique_id AS "telegramUniqueId",
  b.claimed_bytes::float8 AS "claimedBytes", b.announced_bytes::float8 AS "announcedBytes",
  coalesce(s.max_bytes, ${DEFAULT_MAX_BYTES})::float8 AS "maxBytes",
  coalesce(s.content_types, '{}') AS "contentTypes"
FROM begun b LEFT JOIN evidence_settings s ON s.workspace_id = b.workspace_id`;

/** In the transaction that marks the jobs running. */
export async function beginDownloads(
  tx: Transaction,
  jobs: readonly Job[],
): Promise<Map<JobId, DownloadRow>> {
  const rows = await tx.query<DownloadRow & { jobId: JobId }>(BEGIN, [
    jobs.map(({ workspaceId }) => workspaceId),
    jobs.map(fileIdOf),
    jobs.map(({ id }) => id),
  ]);
  return new Map(rows.map(({ jobId, ...file }) => [jobId, file]));
}

export const fileIdOf = ({ payload }: Pick<Job, "payload">): string => String(payload.fileId);

const PROGRESS = `/* evidence.download-progress */
UPDATE evidence_files SET announced_bytes = $3, received_bytes = $4
WHERE workspace_id = $1 AND id = $2 AND state = 'downloading'
RETURNING id`;

/** How far it is, for who looks and for who finds its worker dead. False: nobody wants it any more. */
export async function noteProgress(
  on: Queryable,
  { workspaceId, id }: Pick<DownloadRow, "workspaceId" | "id">,
  { announcedBytes, receivedBytes }: { announcedBytes: number | null; receivedBytes: number },
): Promise<boolean> {
  const rows = await on.query(PROGRESS, [workspaceId, id, announcedBytes, receivedBytes]);
  return rows.length > 0;
}

const GOT_FURTHER = `/* evidence.download-got-further */
SELECT received_bytes > begun_bytes AS further FROM evidence_files
WHERE workspace_id = $1 AND id = $2`;

/** Whether the last attempt brought more of it than the one before. */
export async function gotFurther(on: Queryable, job: Job): Promise<boolean> {
  const [row] = await on.query<{ further: boolean }>(GOT_FURTHER, [job.workspaceId, fileIdOf(job)]);
  return row?.further ?? false;
}

/** Content that is in the store. */
export interface StoredContent {
  storedFileId: string;
  sizeBytes: number;
  sha256: Buffer;
  contentType: string;
}

/** The same file, of this workspace, whose content is here and was never found harmful. */
const KNOWN = `/* evidence.known-file */
SELECT f.sha256, f.content_type AS "contentType" FROM evidence_files f
WHERE f.workspace_id = $1 AND f.telegram_unique_id = $2 AND f.stored_file_id IS NOT NULL
  AND f.state = 'stored' AND f.content_type IS NOT NULL
  AND NOT EXISTS (SELECT FROM evidence_files q
    WHERE q.workspace_id = f.workspace_id AND q.stored_file_id = f.stored_file_id
      AND q.state = 'quarantined')
LIMIT 1`;

/**
 * What is stored already of a file that Telegram gave before (Bot API: `file_unique_id` is "supposed to be
 * the same over time and for different bots"). It stays for the hour in which it is referred to.
 */
export async function takeKnownFile(
  on: Queryable,
  { workspaceId, telegramUniqueId }: DownloadRow,
): Promise<StoredContent | null> {
  if (telegramUniqueId === null) return null;
  const [row] = await on.query<{ sha256: Buffer; contentType: string }>(KNOWN, [
    workspaceId,
    telegramUniqueId,
  ]);
  if (row === undefined) return null;
  const stored = await takeKnown(on, workspaceId, row.sha256);
  return stored === null ? null : { ...stored, contentType: row.contentType };
}
