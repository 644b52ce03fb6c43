import type { Queryable, Transactor } from "../platform/index.ts";

/**
 * Reads the ledger, in one transaction, as the engine, whoever asks. Row-level security would have a
 * workspace's search checked row by row before it may use an index of words, subjects or owners
 * (docs/decisions/0019), so it is the SQL that carries the workspace here, and this is where a search
 * for a workspace that forgot to name it, or names another, ends. `workspaceId` undefined: of all.
 */
export async function inLedger<Result>(
  db: Transactor,
  workspaceId: string | undefined,
  read: (on: Queryable) => Promise<Result>,
): Promise<Result> {
  if (db.workspaceId !== undefined && db.workspaceId !== workspaceId) {
    throw new Error("a workspace searches its own jobs only");
  }
  return db.transaction((tx) => read(tx.engine));
}
