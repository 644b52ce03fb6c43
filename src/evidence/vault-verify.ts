import { createHash } from "node:crypto";
import { type Database, type Keyring, SealError, sqlState } from "../platform/index.ts";
import {
  openFile,
  SealedFileError,
  type Storage,
  StoredFileMissing,
  StoredFileRefused,
  sealedSizeBytes,
} from "../storage/index.ts";
import { sealOf } from "./vault.ts";
import { type StoredFileKey, storageKey } from "./vault-rows.ts";

/**
 * Reads what is stored again, and compares it with what was written down when it came. One file at a
 * time; what it finds is kept on the file's row.
 */

export interface FileFault extends StoredFileKey, Found {
  /** Numbers of evidence that refers to it, as people know them; some of many. */
  evidence: string[];
}

/** `refused` and `no-key` say nothing of the file: it may not be read, or its key does not open. */
interface Found {
  fault: "missing" | "altered" | "refused" | "no-key";
  /** More of it, in words; names no content and no key but by its version. */
  why: string | null;
}

export interface VerifyOptions {
  db: Database;
  keyring: Keyring;
  storage: Storage;
  /** Default: all of them. */
  workspaceId?: string;
  /** Only what was not verified for so many days, and what was damaged then. */
  olderThanDays?: number;
  /** Told of each file that was read. */
  onVerified?: (fault: FileFault | null) => void;
  /** Rows at once. Default 200. */
  batchRows?: number;
  /** Ends it in the middle of a file, with the signal's reason; what was read by then is on record. */
  signal?: AbortSignal;
}

const FIRST_ID = "00000000-0000-0000-0000-000000000000";
const LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff";

const PAGE = `/* vault.verify_page */
SELECT workspace_id, id, key_sealed, size_bytes, sha256 FROM stored_files
WHERE (workspace_id, id) > ($1::uuid, $2::uuid) AND workspace_id <= $3::uuid AND state = 'stored'
  AND (verified_at IS NULL OR damage IS NOT NULL OR $4::int IS NULL OR verified_at < now() - make_interval(days => $4))
ORDER BY workspace_id, id LIMIT $5`;

const SOUND = `/* vault.sound */
UPDATE stored_files SET verified_at = now(), damage = NULL
WHERE workspace_id = $1 AND id = $2 AND state = 'stored'`;

/** Nothing when it was deleted while it was read. */
const DAMAGED = `/* vault.damaged */
UPDATE stored_files SET verified_at = now(), damage = $3
WHERE workspace_id = $1 AND id = $2 AND state = 'stored' RETURNING 1 AS yes`;

const IS_STORED = `/* vault.still_stored */
SELECT 1 AS yes FROM stored_files WHERE workspace_id = $1 AND id = $2 AND state = 'stored'`;

const EVIDENCE_OF = `/* vault.evidence_of */
SELECT DISTINCT e.number FROM evidence_files f
JOIN evidence e ON e.workspace_id = f.workspace_id AND e.id = f.evidence_id
WHERE f.workspace_id = $1 AND f.stored_file_id = $2 ORDER BY e.number LIMIT 20`;

interface FileRow {
  workspace_id: string;
  id: string;
  key_sealed: Buffer;
  size_bytes: string;
  sha256: Buffer;
}

/**
 * Yields what is wrong. Throws when the store or the database does not answer: that is no damage.
 */
export async function* verifyVault(options: VerifyOptions): AsyncGenerator<FileFault> {
  const { db, workspaceId = null, olderThanDays = null, batchRows = 200, onVerified } = options;
  let last = { workspace_id: workspaceId ?? FIRST_ID, id: FIRST_ID };
  for (;;) {
    const until = workspaceId ?? LAST_ID;
    const params = [last.workspace_id, last.id, until, olderThanDays, batchRows];
    const rows: FileRow[] = await db.query<FileRow>(PAGE, params);
    for (const row of rows) {
      options.signal?.throwIfAborted();
      const fault = await verifyFile(options, row);
      onVerified?.(fault);
      if (fault !== null) yield fault;
    }
    last = rows.at(-1) ?? last;
    if (rows.length < batchRows) return;
  }
}

async function verifyFile(options: VerifyOptions, row: FileRow): Promise<FileFault | null> {
  const { db } = options;
  const key = { workspaceId: row.workspace_id, storedFileId: row.id };
  const params = [key.workspaceId, key.storedFileId];
  const found = await findFault(options, key, row);
  if (found === null) {
    await markSound(db, params);
    return null;
  }
  const isDamage = found.fault === "missing" || found.fault === "altered";
  const told = isDamage
    ? await db.query(DAMAGED, [...params, found.fault])
    : await db.query(IS_STORED, params);
  if (told.length === 0) return null;
  const evidence = await db.query<{ number: string }>(EVIDENCE_OF, params);
  return { ...key, ...found, evidence: evidence.map(({ number }) => number) };
}

/** One that was damaged, and has been replaced meanwhile, stays said to be: its content is there once. */
async function markSound(db: Database, params: string[]): Promise<void> {
  try {
    await db.query(SOUND, params);
  } catch (error) {
    if (sqlState(error) !== "23505") throw error;
  }
}

async function findFault(
  { keyring, storage, signal }: VerifyOptions,
  key: StoredFileKey,
  row: FileRow,
): Promise<Found | null> {
  const sizeBytes = Number(row.size_bytes);
  try {
    const seal = sealOf(keyring, key, row.key_sealed);
    const name = storageKey(key);
    const sealedBytes = await storage.sizeBytes(name);
    if (sealedBytes === null) return MISSING;
    if (sealedBytes !== sealedSizeBytes(sizeBytes)) return ALTERED;
    const hash = createHash("sha256");
    const content = openFile((from, to) => storage.read(name, from, to), seal, { sizeBytes });
    for await (const piece of content) {
      signal?.throwIfAborted();
      hash.update(piece);
    }
    return hash.digest().equals(row.sha256) ? null : ALTERED;
  } catch (error) {
    if (error instanceof StoredFileMissing) return MISSING;
    if (error instanceof SealedFileError || isDiskError(error)) return ALTERED;
    if (error instanceof StoredFileRefused) return { fault: "refused", why: error.why };
    if (error instanceof SealError) return { fault: "no-key", why: withoutPlace(error) };
    throw error;
  }
}

const MISSING: Found = { fault: "missing", why: null };
const ALTERED: Found = { fault: "altered", why: null };

/** The row is named already. */
const withoutPlace = ({ message }: SealError) => message.slice(message.indexOf(": ") + 2);

/** A disk that cannot read what it was given. */
const isDiskError = (error: unknown) => (error as NodeJS.ErrnoException).code === "EIO";
