import type { Queryable } from "../platform/index.ts";

/** A bot as an operator of the whole installation sees it. */
export interface DirectoryEntry {
  id: string;
  name: string;
  status: "pending" | "active" | "disabled";
  statusDetail: string | null;
  username: string;
  botId: string;
  workspaceId: string;
  workspaceName: string;
}

/** Those that need somebody first. */
const LIST = `/* connectors.directory */
SELECT c.id, c.name, c.status, c.status_detail AS "statusDetail", c.username, c.bot_id AS "botId",
  c.workspace_id AS "workspaceId", w.name AS "workspaceName"
FROM connectors c JOIN workspaces w ON w.id = c.workspace_id
WHERE c.status <> 'removed'
ORDER BY array_position(ARRAY['disabled', 'pending', 'active'], c.status), c.name, c.id
LIMIT $1`;

const WORKSPACE_OF = `/* connectors.workspace-of */
SELECT workspace_id FROM connectors WHERE id = $1 AND status <> 'removed'`;

/** Whose a connector is, for an operator who names it by its id alone; null when there is none. */
export async function workspaceOfConnector(db: Queryable, id: string): Promise<string | null> {
  const [row] = await db.query<{ workspace_id: string }>(WORKSPACE_OF, [id]);
  return row?.workspace_id ?? null;
}

/** The connected bots of all workspaces, at most `limit`: those in trouble first, then by name. */
export async function listDirectory(db: Queryable, limit: number): Promise<DirectoryEntry[]> {
  return db.query<DirectoryEntry>(LIST, [limit]);
}
