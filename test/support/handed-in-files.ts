import type { Database } from "../../src/platform/index.ts";

/** A message with a file, as a bot's update tells of it (Bot API: Message). */
export interface FileMessage {
  message_id: number;
  media_group_id?: string;
  document?: { file_id: string; file_unique_id: string; file_name?: string };
  photo?: { file_id: string; file_unique_id: string }[];
}

/** Evidence that waits for its files. */
export interface HandedIn {
  evidenceId: string;
  /** EV-<number>. */
  number: string;
  fileIds: string[];
}

export interface FilesOf {
  workspaceId: string;
  connectorId: string;
  chatId: number;
  messages: readonly FileMessage[];
  /** Told of each file before its row is written. */
  change?: (file: { fileId: string; uniqueId: string }) => void;
}

/** Evidence of these messages' files, which are to be fetched; they came a second and a half ago. */
export async function handInFiles(
  db: Database,
  { workspaceId, connectorId, chatId, messages, change = () => {} }: FilesOf,
): Promise<HandedIn> {
  const [evidence] = await db.query<{ id: string; number: string }>(
    `INSERT INTO evidence (workspace_id, status, created_by, revision)
     VALUES ($1, 'draft', 'telegram:1', 1) RETURNING id, number`,
    [workspaceId],
  );
  const { id: evidenceId = "", number = "" } = evidence ?? {};
  await db.query(
    `INSERT INTO evidence_revisions (workspace_id, evidence_id, number, submitted_by)
     VALUES ($1, $2, 1, 'telegram:1')`,
    [workspaceId, evidenceId],
  );
  const fileIds: string[] = [];
  for (const { message_id, media_group_id, document, photo } of messages) {
    const media = document ?? photo?.at(-1);
    const file = { fileId: media?.file_id ?? "", uniqueId: media?.file_unique_id ?? "" };
    change(file);
    const [row] = await db.query<{ id: string }>(
      `INSERT INTO evidence_files (workspace_id, evidence_id, revision, state, name, kind, connector_id,
         chat_id, message_id, media_group_id, telegram_file_id, telegram_unique_id, created_at)
       VALUES ($1, $2, 1, 'queued', $3, $4, $5, $6, $7, $8, $9, $10, now() - interval '1.5 s')
       RETURNING id`,
      [
        workspaceId,
        evidenceId,
        document?.file_name ?? "photo_1.jpg",
        document === undefined ? "photo" : "document",
        connectorId,
        chatId,
        message_id,
        media_group_id ?? null,
        file.fileId,
        file.uniqueId,
      ],
    );
    fileIds.push(row?.id ?? "");
  }
  return { evidenceId, number, fileIds };
}

export interface FileRow {
  state: string;
  error: string | null;
  sha256: string | null;
  stored_file_id: string | null;
  content_type: string | null;
}

export async function fileRow(db: Database, id: string | undefined): Promise<FileRow | undefined> {
  const [row] = await db.query<FileRow>(
    `SELECT state, error, encode(sha256, 'hex') AS sha256, stored_file_id, content_type
     FROM evidence_files WHERE id = $1`,
    [id],
  );
  return row;
}

export interface DownloadJobRow {
  id: string;
  state: string;
  attempts: number;
  errorClass: string | null;
}

export async function downloadJob(
  db: Database,
  fileId: string | undefined,
): Promise<DownloadJobRow | undefined> {
  const [row] = await db.query<DownloadJobRow>(
    `SELECT id, state, attempts, error_class AS "errorClass" FROM jobs
     WHERE kind = 'download' AND payload->>'fileId' = $1`,
    [fileId],
  );
  return row;
}
