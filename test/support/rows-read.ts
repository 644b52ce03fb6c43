import type { Database, Queryable } from "../../src/platform/index.ts";

/**
 * Rows read so far from some tables, by whatever way: of sessions that have ended, and of those that
 * have told of it (`pg_stat_force_next_flush`, and one more statement).
 */
export async function rowsReadSoFar(on: Queryable, tables: readonly string[]): Promise<number> {
  const [row] = await on.query<{ read: string }>(
    `SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname = ANY ($1))
       + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = ANY ($1)) AS read`,
    [tables],
  );
  return Number(row?.read);
}

/** Rows that `work` reads over `db`, which has one connection, while nobody else reads. */
export async function rowsRead(
  db: Database,
  tables: readonly string[],
  work: () => Promise<unknown>,
): Promise<number> {
  const read = async () => {
    await db.query("SELECT pg_stat_force_next_flush()");
    await db.query("SELECT 1");
    return rowsReadSoFar(db, tables);
  };
  const before = await read();
  await work();
  return (await read()) - before;
}
