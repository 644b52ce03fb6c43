import type { Queryable } from "../../src/platform/index.ts";

const NIL = "00000000-0000-0000-0000-000000000000";
const KEY = "key:00000000-0000-4000-8000-000000000001";

/**
 * Puts pieces of evidence into review as if an API key, or `by`, had submitted them; answers their ids, the
 * oldest first. `told`: chats know of them already, as of such that came by the API, or by `bot`.
 */
export async function submitMany(
  db: Queryable,
  workspaceId: string,
  {
    count,
    by = KEY,
    told = false,
    bot = NIL,
  }: { count: number; by?: string; told?: boolean; bot?: string },
): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `WITH made AS (
       INSERT INTO evidence (workspace_id, status, revision, created_by, told,
         review_connector_id)
       SELECT $1, 'in_review', 1, $3, CASE WHEN $4::boolean THEN '1/in_review' END, $5
       FROM generate_series(1, $2::int)
       RETURNING workspace_id, id, number
     ), revisions AS (
       INSERT INTO evidence_revisions (workspace_id, evidence_id, number, submitted_by)
       SELECT workspace_id, id, 1, $3 FROM made
     )
     SELECT id FROM made ORDER BY number`,
    [workspaceId, count, by, told, bot],
  );
  return rows.map(({ id }) => id);
}
