import type { Queryable } from "../platform/index.ts";

/**
 * Rows of `stored_files`, as the engine writes them: the workspace is in every condition, and is the
 * one of the file that is being taken in.
 */

/** An object of the store, by its row. */
export interface StoredFileKey {
  workspaceId: string;
  storedFileId: string;
}

/** Of a file whose content is in the store. */
export interface StoredFile {
  storedFileId: string;
  sizeBytes: number;
  sha256: Buffer;
}

/** A row's key, as statements name it. */
export interface KeyRow {
  workspace_id: string;
  id: string;
}

/** The keys of rows as two parameters of a statement. */
export const keyColumns = (rows: readonly KeyRow[]): string[][] => [
  rows.map(({ workspace_id }) => workspace_id),
  rows.map(({ id }) => id),
];

/** What it is stored as. */
export const storageKey = ({ workspaceId, storedFileId }: StoredFileKey) =>
  `${workspaceId}/${storedFileId}`;

/** Where the data key of a file is sealed for. */
export const keyPlace = ({ workspaceId, storedFileId }: StoredFileKey) => ({
  workspaceId,
  table: "stored_files",
  column: "key_sealed",
  row: storedFileId,
});

/** For `heliograph keys rotate`. */
export const STORED_FILES_SEALED_COLUMNS = [{ table: "stored_files", column: "key_sealed" }];

/** Who writes it gives a sign of life more often than this, or it is taken for dead. */
export const WRITING_IS_ALIVE_MS = 3_600_000;
/** So long a file stays that nobody refers to: who stored it is about to. */
export const LOOSE_IS_KEPT_MS = 3_600_000;

const BEGIN = `/* vault.begin */
INSERT INTO stored_files (workspace_id, id, state, written_for, key_sealed)
VALUES ($1, $2, 'writing', $3, $4)`;

export async function insertWriting(
  on: Queryable,
  { workspaceId, storedFileId }: StoredFileKey,
  writtenFor: string,
  keySealed: Buffer,
): Promise<void> {
  await on.query(BEGIN, [workspaceId, storedFileId, writtenFor, keySealed]);
}

const FIND_WRITING = `/* vault.find_writing */
SELECT id, key_sealed FROM stored_files
WHERE workspace_id = $1 AND written_for = $2 AND state = 'writing'
ORDER BY created_at DESC LIMIT 5`;

/** Rows that were begun for a file of evidence, the newest first. */
export async function findWriting(on: Queryable, workspaceId: string, writtenFor: string) {
  return on.query<{ id: string; key_sealed: Buffer }>(FIND_WRITING, [workspaceId, writtenFor]);
}

const TOUCH = `/* vault.touch */
UPDATE stored_files SET touched_at = now()
WHERE workspace_id = $1 AND id = $2 AND state = 'writing' RETURNING 1 AS yes`;

/** False when it is not being written any more. */
export async function touchWriting(on: Queryable, key: StoredFileKey): Promise<boolean> {
  return (await on.query(TOUCH, [key.workspaceId, key.storedFileId])).length > 0;
}

interface StoredRow {
  id: string;
  size_bytes: string;
  sha256: Buffer;
}

const storedFile = (row: StoredRow): StoredFile => ({
  storedFileId: row.id,
  sizeBytes: Number(row.size_bytes),
  sha256: row.sha256,
});

const TAKE_KNOWN = `/* vault.take_known */
UPDATE stored_files SET loose_since = now()
WHERE workspace_id = $1 AND sha256 = $2 AND state = 'stored' AND damage IS NULL
RETURNING id, size_bytes, sha256`;

/** The file with this content, kept long enough for who asks to refer to it. */
export async function takeKnown(
  on: Queryable,
  workspaceId: string,
  sha256: Buffer,
): Promise<StoredFile | null> {
  const [row] = await on.query<StoredRow>(TAKE_KNOWN, [workspaceId, sha256]);
  return row === undefined ? null : storedFile(row);
}

const STORE = `/* vault.store */
UPDATE stored_files SET state = 'stored', sha256 = $3, size_bytes = $4, content_type = $5,
  stored_at = now(), touched_at = now(), loose_since = now(), verified_at = NULL, damage = NULL
WHERE workspace_id = $1 AND id = $2 AND state = 'writing' RETURNING id, size_bytes, sha256`;

/** Null when it is not being written any more. Fails (23505) where the content is stored already. */
export async function markStored(
  on: Queryable,
  { workspaceId, storedFileId }: StoredFileKey,
  content: { sha256: Buffer; sizeBytes: number; contentType: string | null },
): Promise<StoredFile | null> {
  const { sha256, sizeBytes, contentType } = content;
  const params = [workspaceId, storedFileId, sha256, sizeBytes, contentType];
  const [row] = await on.query<StoredRow>(STORE, params);
  return row === undefined ? null : storedFile(row);
}

const MEND = `/* vault.mend */
UPDATE evidence_files f SET stored_file_id = $2
FROM stored_files s
WHERE s.workspace_id = $1 AND s.sha256 = $3 AND s.state = 'stored' AND s.damage IS NOT NULL
  AND f.workspace_id = s.workspace_id AND f.stored_file_id = s.id
RETURNING f.id`;

/** What referred to the same content that is damaged refers to this one. */
export async function replaceDamaged(
  on: Queryable,
  { workspaceId, storedFileId }: StoredFileKey,
  sha256: Buffer,
): Promise<void> {
  await on.query(MEND, [workspaceId, storedFileId, sha256]);
}

const GIVE_UP = `/* vault.give_up */
UPDATE stored_files SET state = 'deleting', touched_at = now()
WHERE workspace_id = $1 AND id = $2 AND state = 'writing'`;
const IS_STORED = `/* vault.is_stored */
SELECT 1 AS yes FROM stored_files WHERE workspace_id = $1 AND id = $2 AND state = 'stored'`;

/** It will not be stored any more; false where it is. */
export async function giveUpUnlessStored(on: Queryable, key: StoredFileKey): Promise<boolean> {
  const params = [key.workspaceId, key.storedFileId];
  await on.query(GIVE_UP, params);
  return (await on.query(IS_STORED, params)).length === 0;
}

const DROP = `/* vault.drop */
DELETE FROM stored_files WHERE workspace_id = $1 AND id = $2 AND state = 'deleting'`;

/** Once its object is gone. */
export async function dropDeleting(on: Queryable, key: StoredFileKey): Promise<void> {
  await on.query(DROP, [key.workspaceId, key.storedFileId]);
}

const FIND_STORED = `/* vault.find_stored */
SELECT key_sealed, size_bytes FROM stored_files
WHERE workspace_id = $1 AND id = $2 AND state = 'stored'`;

/** What opens a stored file; null when the workspace has none with this id. */
export async function findStored(
  on: Queryable,
  { workspaceId, storedFileId }: StoredFileKey,
): Promise<{ keySealed: Buffer; sizeBytes: number } | null> {
  const params = [workspaceId, storedFileId];
  const [row] = await on.query<{ key_sealed: Buffer; size_bytes: string }>(FIND_STORED, params);
  return row === undefined
    ? null
    : { keySealed: row.key_sealed, sizeBytes: Number(row.size_bytes) };
}
