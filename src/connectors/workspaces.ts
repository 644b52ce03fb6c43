import { INSTALLATION, recordAudit } from "../audit/index.ts";
import type { Transactor } from "../platform/index.ts";
import { insertApiKey } from "./api-keys.ts";
import { KEY_SCOPES } from "./key-scopes.ts";

export interface NewWorkspace {
  id: string;
  name: string;
  /** Shown once: only its hash is kept. */
  apiKey: string;
}

/**
 * Creates a workspace with its first API key, which may do everything. The installation's audit log
 * says so too: it knows of a workspace even if its own log were gone.
 */
export async function createWorkspace(db: Transactor, name: string): Promise<NewWorkspace> {
  return db.transaction(async (tx) => {
    const [row] = await tx.query<{ id: string }>(
      "INSERT INTO workspaces (name) VALUES ($1) RETURNING id",
      [name],
    );
    const id = row?.id ?? "";
    const created = { action: "workspace.created", subjectId: id } as const;
    await recordAudit(
      tx,
      { workspaceId: INSTALLATION, ...created },
      { workspaceId: id, ...created },
    );
    const first = { workspaceId: id, name: "first key", scopes: KEY_SCOPES, expiresAt: null };
    const key = await insertApiKey(tx, first);
    if (key === null) throw new Error("a workspace was gone in the transaction that made it");
    return { id, name, apiKey: key.apiKey };
  });
}
