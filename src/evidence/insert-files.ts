import type { Queryable } from "../platform/index.ts";
import type { EvidenceKey } from "./standing.ts";
import type { PlaceOfFile } from "./states.ts";
import type { Who } from "./who.ts";

/** Where a file came from, in Telegram. Ids are decimal strings. */
export interface FileSource {
  connectorId: string;
  chatId: string;
  messageId: string;
  threadId: string | null;
  mediaGroupId: string | null;
  telegramFileId: string | null;
  telegramUniqueId: string | null;
  sentAt: Date;
}

/** What was stored of one that came by the API. */
export interface StoredContent {
  storedFileId: string;
  contentType: string;
  sizeBytes: number;
  sha256: Buffer;
}

export interface FileRow {
  id: string;
  state: "queued" | "stored" | "quarantined";
  /** Made harmless already. */
  name: string;
  kind: string;
  claimedType: string | null;
  claimedBytes: number | null;
  source: FileSource | null;
  content: StoredContent | null;
  /** What is to stand in it, where nothing is fetched. */
  written: string | null;
  error: string | null;
}

/** Of `evidence_files`: name, type, and where the value comes from. */
const COLUMNS: [string, string, (file: FileRow) => unknown][] = [
  ["id", "uuid", ({ id }) => id],
  ["state", "text", ({ state }) => state],
  ["name", "text", ({ name }) => name],
  ["kind", "text", ({ kind }) => kind],
  ["claimed_type", "text", ({ claimedType }) => claimedType],
  ["claimed_bytes", "bigint", ({ claimedBytes }) => claimedBytes],
  ["written", "text", ({ written }) => written],
  ["error", "text", ({ error }) => error],
  ["connector_id", "uuid", ({ source }) => source?.connectorId ?? null],
  ["chat_id", "bigint", ({ source }) => source?.chatId ?? null],
  ["message_id", "bigint", ({ source }) => source?.messageId ?? null],
  ["thread_id", "bigint", ({ source }) => source?.threadId ?? null],
  ["media_group_id", "text", ({ source }) => source?.mediaGroupId ?? null],
  ["telegram_file_id", "text", ({ source }) => source?.telegramFileId ?? null],
  ["telegram_unique_id", "text", ({ source }) => source?.telegramUniqueId ?? null],
  ["sent_at", "timestamptz", ({ source }) => source?.sentAt.toISOString() ?? null],
  ["stored_file_id", "uuid", ({ content }) => content?.storedFileId ?? null],
  ["content_type", "text", ({ content }) => content?.contentType ?? null],
  ["size_bytes", "bigint", ({ content }) => content?.sizeBytes ?? null],
  ["sha256", "bytea", ({ content }) => content?.sha256 ?? null],
];

const NAMES = COLUMNS.map(([name]) => name).join(", ");
const FIRST_COLUMN = 8;
const ARRAYS = COLUMNS.map(([, type], n) => `$${FIRST_COLUMN + n}::${type}[]`).join(", ");

/**
 * Files, and the revision that they belong to where there is none yet, in one statement: of files that
 * are all known no revision is left. A message that was taken already is left out.
 */
const INSERT = `/* evidence.insert-files */
WITH input AS (
  SELECT * FROM unnest($7::int[], ${ARRAYS}) AS i(n, ${NAMES})
), place AS (
  SELECT coalesce(max(f.position) + 1, 0) AS first FROM evidence_files f
  WHERE f.workspace_id = $1::uuid AND f.evidence_id = $2::uuid
    AND f.revision = CASE $4::text WHEN 'renumbers' THEN $3::int - 1 ELSE $3::int END
), inserted AS (
  INSERT INTO evidence_files (workspace_id, evidence_id, revision, submitted_by, submitted_account,
    position, stored_at, ${NAMES})
  SELECT $1::uuid, $2::uuid, $3::int, $5::text, $6::bigint, p.first + i.n,
    CASE WHEN i.stored_file_id IS NOT NULL THEN clock_timestamp() END,
    ${COLUMNS.map(([name]) => `i.${name}`).join(", ")}
  FROM input i CROSS JOIN place p ORDER BY i.n
  ON CONFLICT (workspace_id, connector_id, chat_id, message_id, kind) WHERE message_id IS NOT NULL
    DO NOTHING
  RETURNING id
), opened AS (
  INSERT INTO evidence_revisions (workspace_id, evidence_id, number, submitted_by, submitted_account)
  SELECT $1::uuid, $2::uuid, $3::int, $5::text, $6::bigint WHERE $4 = 'opens' AND EXISTS (SELECT FROM inserted)
), renumbered AS (
  UPDATE evidence_revisions r SET number = $3
  WHERE r.workspace_id = $1 AND r.evidence_id = $2 AND r.number = $3 - 1
    AND $4 = 'renumbers' AND EXISTS (SELECT FROM inserted)
)
SELECT id FROM inserted`;

/**
 * As the engine, under the evidence's row; answers the ids of those that are new. The caller writes where
 * the evidence stands then.
 */
export async function insertFiles(
  engine: Queryable,
  { workspaceId, evidenceId }: EvidenceKey,
  { place, who, files }: { place: PlaceOfFile; who: Who; files: readonly FileRow[] },
): Promise<Set<string>> {
  const rows = await engine.query<{ id: string }>(INSERT, [
    workspaceId,
    evidenceId,
    place.revision,
    place.how,
    who.name,
    who.account,
    files.map((_, n) => n),
    ...COLUMNS.map(([, , value]) => files.map(value)),
  ]);
  return new Set(rows.map(({ id }) => id));
}
