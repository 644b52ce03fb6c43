import { type Database, newApiKey, type Queryable, sha256 } from "../platform/index.ts";

export interface NewWorkspace {
  id: string;
  name: string;
  /** Shown once: only its hash is kept. */
  apiKey: string;
}

/** Creates a workspace with its first API key. */
export async function createWorkspace(db: Database, name: string): Promise<NewWorkspace> {
  const apiKey = newApiKey();
  return db.transaction(async (tx) => {
    const [row] = await tx.query<{ id: string }>(
      "INSERT INTO workspaces (name) VALUES ($1) RETURNING id",
      [name],
    );
    const id = row?.id ?? "";
    await tx.query("INSERT INTO api_keys (workspace_id, key_hash, name) VALUES ($1, $2, $3)", [
      id,
      sha256(apiKey),
      "first key",
    ]);
    return { id, name, apiKey };
  });
}

/** The workspace a key belongs to, or null when there is no such key (any more). */
export async function findWorkspaceOfKey(db: Queryable, apiKey: string): Promise<string | null> {
  const rows = await db.query<{ workspace_id: string }>(
    "SELECT workspace_id FROM api_keys WHERE key_hash = $1 AND revoked_at IS NULL",
    [sha256(apiKey)],
  );
  return rows[0]?.workspace_id ?? null;
}
