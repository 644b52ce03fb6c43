import type { Queryable } from "../platform/index.ts";

/** How those are called whom an approval is about, for the people who look at it. */

/** Of `outbound_messages m`: the key that submitted it; null where nobody did, or it is gone. */
export const AUTHOR_NAME = `(SELECT k.name FROM api_keys k
    WHERE k.workspace_id = m.workspace_id
      AND k.id = CASE WHEN m.submitted_by LIKE 'key:%' THEN substr(m.submitted_by, 5)::uuid END)`;

/** Of `outbound_messages m`: its chat; null where that is not known, or has no title. */
export const CHAT_TITLE = `(SELECT c.title FROM chats c WHERE c.workspace_id = m.workspace_id
    AND c.connector_id = m.connector_id
    AND c.chat_id = CASE WHEN m.chat_id NOT LIKE '@%' THEN m.chat_id::bigint END)`;

/** Of `approval_decisions d`: who decided. The ids of people and keys are never the same. */
export const APPROVER_NAME = `(SELECT coalesce(
    (SELECT p.name FROM people p WHERE p.workspace_id = d.workspace_id AND p.id = of.id),
    (SELECT k.name FROM api_keys k WHERE k.workspace_id = d.workspace_id AND k.id = of.id))
  FROM (SELECT split_part(d.approver, ':', 2)::uuid AS id) of)`;

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
