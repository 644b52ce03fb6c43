import type { Queryable } from "../../platform/index.ts";

const NAMES = `/* dialogs.names */
SELECT 'person:' || p.id AS who, p.name FROM people p
WHERE p.workspace_id = $1 AND p.id = ANY ($2::uuid[])
UNION ALL
SELECT 'telegram:' || c.telegram_user_id, concat_ws(' ', c.first_name, c.last_name) FROM contacts c
WHERE c.workspace_id = $1 AND c.telegram_user_id = ANY ($3::bigint[])
UNION ALL
SELECT 'key:' || k.id, k.name FROM api_keys k
WHERE k.workspace_id = $1 AND k.id = ANY ($4::uuid[])`;

const idsOf = (who: readonly string[], kind: string): string[] =>
  who.filter((one) => one.startsWith(`${kind}:`)).map((one) => one.slice(kind.length + 1));

/** What people call who did something: by `person:<id>`, `telegram:<id>` or `key:<id>`, as far as known. */
export async function namesOf(
  on: Queryable,
  workspaceId: string,
  who: readonly string[],
): Promise<Map<string, string>> {
  const ids = [idsOf(who, "person"), idsOf(who, "telegram"), idsOf(who, "key")];
  const rows = await on.query<{ who: string; name: string }>(NAMES, [workspaceId, ...ids]);
  return new Map(rows.map(({ who: one, name }) => [one, name]));
}
