import type { Database, Queryable } from "./database.ts";
import { type Keyring, SealError, versionOf } from "./keyring.ts";

/**
 * All that is sealed at rest, record by record. New keys come in three steps: every process gets the
 * new key in front of the old ones, then every record is wrapped again, then the old keys go.
 */

/** A column of sealed values, in a table whose key is (workspace_id, id). */
export interface SealedColumn {
  table: string;
  column: string;
}

/** A record that this process cannot open. */
export interface UnreadableRecord extends SealedColumn {
  workspaceId: string;
  row: string;
  /** Of the key it was sealed with; null when it is no sealed value at all. */
  keyVersion: number | null;
}

export interface Rewrapped {
  /** Records wrapped again by the newest key. */
  rewrapped: number;
  /** Left exactly as they are. */
  unreadable: UnreadableRecord[];
  /** Still under an older key: a process that knows no newer one keeps sealing. */
  left: number;
}

interface SealedRow {
  workspace_id: string;
  id: string;
  sealed: Buffer;
}

/** A batch holds its rows' locks while it is written. */
const BATCH_ROWS = 500;
/** What changed under a pass is met by the next one. */
const MAX_PASSES = 5;
/** Named at the start of a process; how many there are is told beside. */
const MAX_NAMED = 100;

const stale = ({ table, column }: SealedColumn) => `
SELECT workspace_id, id, ${column} AS sealed FROM ${table}
WHERE (id > $1 OR $1 IS NULL) AND substring(${column} FROM 2 FOR 2) <> $2::bytea
ORDER BY id LIMIT ${BATCH_ROWS}`;

/** Only what is still as it was read: a value that somebody replaced meanwhile is theirs. */
const replace = ({ table, column }: SealedColumn) => `
UPDATE ${table} t SET ${column} = n.rewrapped
FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::bytea[])
  AS n(workspace_id, id, sealed, rewrapped)
WHERE t.workspace_id = n.workspace_id AND t.id::text = n.id AND t.${column} = n.sealed
RETURNING 1 AS yes`;

const unreadable = ({ table, column }: SealedColumn) => `
SELECT workspace_id, id, ${column} AS sealed, count(*) OVER ()::int AS total FROM ${table}
WHERE substring(${column} FROM 2 FOR 2) <> ALL ($1::bytea[])
ORDER BY id LIMIT ${MAX_NAMED}`;

function versionBytes(version: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(version);
  return bytes;
}

const recordOf = (column: SealedColumn, row: SealedRow): UnreadableRecord => ({
  table: column.table,
  column: column.column,
  workspaceId: row.workspace_id,
  row: row.id,
  keyVersion: versionOf(row.sealed),
});

/**
 * Wraps every record's data key again by the newest key; the content is not touched, nor opened. May
 * run beside everything else, be ended at any moment, and be run again: what is done is done.
 */
export async function rewrapSealed(
  db: Database,
  keyring: Keyring,
  columns: readonly SealedColumn[],
): Promise<Rewrapped> {
  const result: Rewrapped = { rewrapped: 0, unreadable: [], left: 0 };
  for (const column of columns) {
    for (let pass = 1; pass <= MAX_PASSES; pass++) {
      const { rewrapped, failed, missed } = await walk(db, keyring, column);
      result.rewrapped += rewrapped;
      if (missed > 0 && pass < MAX_PASSES) continue;
      result.unreadable.push(...failed);
      result.left += missed;
      break;
    }
  }
  return result;
}

/** Once over all that is sealed with another key than the newest. */
async function walk(db: Database, keyring: Keyring, column: SealedColumn) {
  const done = { rewrapped: 0, failed: [] as UnreadableRecord[], missed: 0 };
  const newest = versionBytes(keyring.currentVersion);
  let afterId: string | null = null;
  for (;;) {
    const rows: SealedRow[] = await db.query<SealedRow>(stale(column), [afterId, newest]);
    const news: { row: SealedRow; rewrapped: Buffer }[] = [];
    for (const row of rows) {
      try {
        const { table, column: name } = column;
        const place = { workspaceId: row.workspace_id, table, column: name, row: row.id };
        const rewrapped = keyring.rewrap(row.sealed, place);
        if (rewrapped !== null) news.push({ row, rewrapped });
      } catch (error) {
        if (!(error instanceof SealError)) throw error;
        done.failed.push(recordOf(column, row));
      }
    }
    const replaced = await db.transaction((tx) =>
      tx.query(replace(column), [
        news.map(({ row }) => row.workspace_id),
        news.map(({ row }) => row.id),
        news.map(({ row }) => row.sealed),
        news.map(({ rewrapped }) => rewrapped),
      ]),
    );
    done.rewrapped += replaced.length;
    done.missed += news.length - replaced.length;
    if (rows.length < BATCH_ROWS) return done;
    afterId = rows.at(-1)?.id ?? null;
  }
}

/** What is sealed with keys that are not in the ring: the first of them, and how many there are. */
export async function findUnreadable(
  db: Queryable,
  keyring: Keyring,
  columns: readonly SealedColumn[],
): Promise<{ records: UnreadableRecord[]; total: number }> {
  const versions = keyring.versions.map(versionBytes);
  const found = { records: [] as UnreadableRecord[], total: 0 };
  for (const column of columns) {
    const rows = await db.query<SealedRow & { total: number }>(unreadable(column), [versions]);
    found.records.push(...rows.map((row) => recordOf(column, row)));
    found.total += rows[0]?.total ?? 0;
  }
  return found;
}
