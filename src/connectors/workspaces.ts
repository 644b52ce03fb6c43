import { INSTALLATION, recordAudit } from "../audit/index.ts";
import type { Queryable, Transactor } from "../platform/index.ts";
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
export async function createWorkspace(
  db: Transactor,
  name: string,
  timeZone = "UTC",
): Promise<NewWorkspace> {
  return db.transaction(async (tx) => {
    const [row] = await tx.query<{ id: string }>(
      "INSERT INTO workspaces (name, time_zone) VALUES ($1, $2) RETURNING id",
      [name, timeZone],
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

export interface WorkspaceView {
  id: string;
  name: string;
  /** In which times of day are written for its people. */
  timeZone: string;
}

const CHANGE = `/* connectors.change-workspace */
UPDATE workspaces SET name = coalesce($2, name), time_zone = coalesce($3, time_zone)
WHERE id = $1 RETURNING id, name, time_zone`;

/**
 * Changes what is given, in the caller's transaction, with its entry in the audit log. Null when there
 * is no such workspace.
 */
export async function changeWorkspace(
  tx: Queryable,
  id: string,
  change: { name?: string; timeZone?: string },
): Promise<WorkspaceView | null> {
  const values = [id, change.name ?? null, change.timeZone ?? null];
  const [row] = await tx.query<{ id: string; name: string; time_zone: string }>(CHANGE, values);
  if (row === undefined) return null;
  const fields = Object.entries(change).flatMap(([field, value]) =>
    value === undefined ? [] : [field],
  );
  const updated = { action: "workspace.updated", subjectId: id, details: { fields } } as const;
  await recordAudit(tx, { workspaceId: id, ...updated });
  return { id: row.id, name: row.name, timeZone: row.time_zone };
}
