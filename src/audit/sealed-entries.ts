import type { Queryable } from "../platform/index.ts";
import { ENTRY_COLUMNS, type EntryRow } from "./entry-row.ts";

/** A place in a chain, and the entry that should be there. */
export interface SealRow {
  number: string;
  entry_id: string;
  hash: Buffer;
  entry: EntryRow | null;
}

const BATCH = 1_000;

const READ = `/* audit.sealed-entries */
SELECT s.number, s.entry_id, s.hash, ${ENTRY_COLUMNS}
FROM (
  SELECT * FROM audit_seals
  WHERE workspace_id = $1 AND number > $2 AND number <= $3 ORDER BY number LIMIT ${BATCH}
) s LEFT JOIN audit_entries e ON e.workspace_id = s.workspace_id AND e.id = s.entry_id
ORDER BY s.number`;

/** The seals of a chain after one number up to another, in order, a batch a statement. */
export async function* readSeals(
  on: Queryable,
  workspaceId: string,
  { after = 0, last }: { after?: number; last: number },
): AsyncGenerator<SealRow> {
  for (let place = String(after); ; ) {
    const rows = await on.query<
      Omit<SealRow, "entry"> & Omit<EntryRow, "id"> & { id: string | null }
    >(READ, [workspaceId, place, last]);
    for (const { number, entry_id, hash, id, ...entry } of rows) {
      yield { number, entry_id, hash, entry: id === null ? null : { ...entry, id } };
      place = number;
    }
    if (rows.length < BATCH) return;
  }
}
