import { type Database, inBatches } from "../platform/index.ts";
import type { Storage } from "../storage/index.ts";
import {
  type KeyRow,
  keyColumns,
  LOOSE_IS_KEPT_MS,
  storageKey,
  WRITING_IS_ALIVE_MS,
} from "./vault-rows.ts";

/** Clears up behind processes that died, and lets content go that nobody refers to any more. */

export interface SweptVault {
  /** Files that nobody writes any more, or refers to. */
  givenUp: number;
  /** Objects removed, with their rows. */
  removed: number;
  /** Objects that could not be removed: the next sweep tries again. */
  failed: number;
}

export interface SweepOptions {
  db: Database;
  storage: Storage;
  /** Rows at once. Default 100. */
  batchRows?: number;
  /** Batches of a kind in one sweep; the rest waits for the next. Default 100. */
  maxBatches?: number;
  isStopping?: () => boolean;
}

const GIVE_UP_WRITING = `/* vault.give_up_writing */
WITH silent AS (
  SELECT workspace_id, id FROM stored_files
  WHERE state = 'writing' AND touched_at < now() - $2 * interval '1 ms'
  ORDER BY touched_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE stored_files s SET state = 'deleting', touched_at = now() FROM silent o
WHERE s.workspace_id = o.workspace_id AND s.id = o.id AND s.state = 'writing' RETURNING 1 AS yes`;

const LOCK_LOOSE = `/* vault.lock_loose */
SELECT workspace_id, id FROM stored_files
WHERE state = 'stored' AND loose_since < now() - $2 * interval '1 ms'
ORDER BY loose_since LIMIT $1 FOR UPDATE SKIP LOCKED`;

/** A statement of its own: what was committed before the rows were locked is seen. */
const JUDGE_LOOSE = `/* vault.judge_loose */
UPDATE stored_files s SET loose_since = NULL, touched_at = now(),
  state = CASE WHEN o.is_used THEN 'stored' ELSE 'deleting' END
FROM (
  SELECT n.workspace_id, n.id, EXISTS (SELECT FROM evidence_files f
    WHERE f.stored_file_id = n.id AND f.workspace_id = n.workspace_id) AS is_used
  FROM unnest($1::uuid[], $2::uuid[]) AS n(workspace_id, id)
) o
WHERE s.workspace_id = o.workspace_id AND s.id = o.id RETURNING s.state`;

const FIND_DELETING = `/* vault.find_deleting */
SELECT workspace_id, id FROM stored_files WHERE state = 'deleting' ORDER BY touched_at LIMIT $1`;

const DROP_REMOVED = `/* vault.drop_removed */
DELETE FROM stored_files s USING unnest($1::uuid[], $2::uuid[]) AS n(workspace_id, id)
WHERE s.workspace_id = n.workspace_id AND s.id = n.id AND s.state = 'deleting'`;

/** Those that could not be removed go to the end. */
const PUT_OFF = `/* vault.put_off */
UPDATE stored_files s SET touched_at = now() FROM unnest($1::uuid[], $2::uuid[]) AS n(workspace_id, id)
WHERE s.workspace_id = n.workspace_id AND s.id = n.id AND s.state = 'deleting'`;

/** One sweep: bounded, and right beside any number of others. */
export async function sweepVault(options: SweepOptions): Promise<SweptVault> {
  const { db, storage, batchRows = 100, maxBatches = 100, isStopping = () => false } = options;
  const swept: SweptVault = { givenUp: 0, removed: 0, failed: 0 };

  const all = (batch: () => Promise<number>) =>
    inBatches(batch, { size: batchRows, most: maxBatches, isStopping });

  await all(async () => {
    const params = [batchRows, WRITING_IS_ALIVE_MS];
    const { length } = await db.query(GIVE_UP_WRITING, params);
    swept.givenUp += length;
    return length;
  });
  await all(() =>
    db.transaction(async (tx) => {
      const rows = await tx.query<KeyRow>(LOCK_LOOSE, [batchRows, LOOSE_IS_KEPT_MS]);
      const judged = await tx.query<{ state: string }>(JUDGE_LOOSE, keyColumns(rows));
      swept.givenUp += judged.filter(({ state }) => state === "deleting").length;
      return rows.length;
    }),
  );
  await all(async () => {
    const rows = await db.query<KeyRow>(FIND_DELETING, [batchRows]);
    const removed: KeyRow[] = [];
    const failed: KeyRow[] = [];
    for (const row of rows) {
      try {
        await storage.remove(storageKey({ workspaceId: row.workspace_id, storedFileId: row.id }));
        removed.push(row);
      } catch {
        failed.push(row);
        // A store that is away is not asked a hundred times.
        if (removed.length === 0 && failed.length === 3) break;
      }
    }
    await db.query(DROP_REMOVED, keyColumns(removed));
    await db.query(PUT_OFF, keyColumns(failed));
    swept.removed += removed.length;
    swept.failed += failed.length;
    return failed.length === 0 ? rows.length : 0;
  });
  return swept;
}
