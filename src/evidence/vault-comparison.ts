import type { Database } from "../platform/index.ts";
import type { Storage, StoredObject } from "../storage/index.ts";
import { storageKey } from "./vault-rows.ts";

/**
 * Walks the store and the rows side by side, in the order of their keys. An object without a row is
 * of a process that died in an unlikely moment, and goes; a row without its object is said to be
 * damaged. Objects of workspaces that this database does not know are another installation's.
 */

export interface ComparedVault {
  /** Objects without a row, removed. */
  orphans: number;
  /** Rows whose object is not there. */
  missing: number;
  /** Objects of workspaces that are not here; left as they are. */
  foreign: number;
}

export interface CompareOptions {
  db: Database;
  storage: Storage;
  /** Rows, or objects, at once. Default 500. */
  batchRows?: number;
  /** Objects younger than this are left alone. Default: a day. */
  olderThanMs?: number;
  isStopping?: () => boolean;
}

const DAY_MS = 24 * 3_600_000;
const FIRST_ID = "00000000-0000-0000-0000-000000000000";
const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const KEY = new RegExp(`^(${UUID})/(${UUID})$`);

const ROWS_BEHIND = `/* vault.rows_behind */
SELECT workspace_id, id, state FROM stored_files
WHERE (workspace_id, id) > ($1::uuid, $2::uuid) ORDER BY workspace_id, id LIMIT $3`;

/** Asked again: a row may have come meanwhile. */
const JUDGE_ORPHANS = `/* vault.judge_orphans */
SELECT n.workspace_id || '/' || n.id AS key,
  EXISTS (SELECT FROM stored_files s WHERE s.workspace_id = n.workspace_id AND s.id = n.id) AS has_row,
  EXISTS (SELECT FROM workspaces w WHERE w.id = n.workspace_id) AS is_ours
FROM unnest($1::uuid[], $2::uuid[]) AS n(workspace_id, id)`;

const MARK_MISSING = `/* vault.mark_missing */
UPDATE stored_files SET damage = 'missing', verified_at = now()
WHERE workspace_id = $1 AND id = $2 AND state = 'stored' AND damage IS DISTINCT FROM 'missing'
RETURNING 1 AS yes`;

interface FileRow {
  workspace_id: string;
  id: string;
  state: string;
}

export async function compareVault(options: CompareOptions): Promise<ComparedVault> {
  const { db, storage, batchRows = 500, olderThanMs = DAY_MS } = options;
  const { isStopping = () => false } = options;
  const before = new Date(Date.now() - olderThanMs);
  const compared: ComparedVault = { orphans: 0, missing: 0, foreign: 0 };
  let orphans: string[] = [];

  async function judgeOrphans(): Promise<void> {
    const keys = orphans.map((key) => key.split("/"));
    orphans = [];
    const judged = await db.query<{ key: string; has_row: boolean; is_ours: boolean }>(
      JUDGE_ORPHANS,
      [keys.map(([workspaceId]) => workspaceId), keys.map(([, id]) => id)],
    );
    for (const { key, has_row, is_ours } of judged) {
      if (!is_ours) compared.foreign++;
      else if (!has_row) {
        await storage.remove(key);
        compared.orphans++;
      }
    }
  }

  async function markMissing(row: FileRow): Promise<void> {
    const key = storageKey({ workspaceId: row.workspace_id, storedFileId: row.id });
    // The listing may be older than the object.
    if ((await storage.sizeBytes(key)) !== null) return;
    compared.missing += (await db.query(MARK_MISSING, [row.workspace_id, row.id])).length;
  }

  const objects = objectsOf(storage);
  try {
    const rows = rowsOf(db, batchRows);
    let row = await rows.next();
    let object = await objects.next();
    while ((!row.done || !object.done) && !isStopping()) {
      const rowKey = row.done ? null : keyOfRow(row.value);
      const objectKey = object.done ? null : object.value.key;
      if (!object.done && (rowKey === null || object.value.key < rowKey)) {
        if (object.value.changedAt < before) orphans.push(object.value.key);
        if (orphans.length >= batchRows) await judgeOrphans();
      } else if (!row.done && rowKey !== objectKey && row.value.state === "stored") {
        await markMissing(row.value);
      }
      const isRowNext = rowKey !== null && (objectKey === null || rowKey <= objectKey);
      const isObjectNext = objectKey !== null && (rowKey === null || objectKey <= rowKey);
      if (isRowNext) row = await rows.next();
      if (isObjectNext) object = await objects.next();
    }
    if (!isStopping()) await judgeOrphans();
  } finally {
    await objects.return();
  }
  return compared;
}

const keyOfRow = (row: FileRow) =>
  storageKey({ workspaceId: row.workspace_id, storedFileId: row.id });

/** What has a key of ours. */
async function* objectsOf(storage: Storage): AsyncGenerator<StoredObject, void, undefined> {
  for await (const object of storage.list("")) if (KEY.test(object.key)) yield object;
}

async function* rowsOf(db: Database, batchRows: number): AsyncGenerator<FileRow, void, undefined> {
  let last = { workspace_id: FIRST_ID, id: FIRST_ID };
  for (;;) {
    const rows: FileRow[] = await db.query<FileRow>(ROWS_BEHIND, [
      last.workspace_id,
      last.id,
      batchRows,
    ]);
    yield* rows;
    last = rows.at(-1) ?? last;
    if (rows.length < batchRows) return;
  }
}
