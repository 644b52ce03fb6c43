import type { Queryable } from "../platform/index.ts";

/** How those are called whom an approval is about, for the people who look at it. */

/** Of a column that says who somebody is: the id, if it is one of that kind. */
function idOf(kind: "key" | "person", column: string): string {
  const shape = `^${kind}:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`;
  return `CASE WHEN ${column} ~ '${shape}' THEN split_part(${column}, ':', 2)::uuid END`;
}

/** Of `outbound_messages m`: the key that submitted it; null where nobody did, or it is gone. */
export const AUTHOR_NAME = `(SELECT k.name FROM api_keys k
    WHERE k.workspace_id = m.workspace_id
      AND k.id = ${idOf("key", "m.submitted_by")})`;

/** Of `outbound_messages m`: its chat; null where that is not known, or has no title. */
export const CHAT_TITLE = `(SELECT c.title FROM chats c WHERE c.workspace_id = m.workspace_id
    AND c.connector_id = m.connector_id
    AND c.chat_id = CASE WHEN m.chat_id NOT LIKE '@%' THEN m.chat_id::bigint END)`;

/** Of `approval_decisions d`: who decided; null where they are gone. */
export const APPROVER_NAME = `coalesce(
    (SELECT p.name FROM people p
      WHERE p.workspace_id = d.workspace_id AND p.id = ${idOf("person", "d.approver")}),
    (SELECT k.name FROM api_keys k
      WHERE k.workspace_id = d.workspace_id AND k.id = ${idOf("key", "d.approver")}))`;

const NAME = `/* approvals.name-of */
SELECT ${APPROVER_NAME} AS name FROM (SELECT $1::uuid AS workspace_id, $2::text AS approver) d`;

/** How an approver, `key:<id>` or `person:<id>`, is called in the workspace. */
export async function nameOf(
  on: Queryable,
  workspaceId: string,
  approver: string,
): Promise<string> {
  const [row] = await on.query<{ name: string | null }>(NAME, [workspaceId, approver]);
  return row?.name ?? "somebody who is gone";
}
