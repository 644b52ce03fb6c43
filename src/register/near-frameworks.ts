import type { Queryable } from "../platform/index.ts";

/** A framework, as much of it as a choice needs. */
export interface FrameworkRef {
  id: string;
  code: string;
  title: string;
}

/** In either direction from where a name would stand. */
const NEIGHBOURS = 100;

/**
 * Walks an index from where the name would stand, in one direction. The workspace is part of the place
 * and not a condition: of a condition the planner believes, without statistics, that few rows meet it,
 * and fetches and sorts them all. What lies beyond the workspace is left out behind the limit.
 */
const walk = (column: "code" | "title", beyond: ">=" | "<", direction: "ASC" | "DESC") => `
(SELECT id, code, title FROM (
  SELECT workspace_id, id, code, title FROM frameworks
  WHERE (workspace_id, lower(${column})) ${beyond} ($1::uuid, lower($2)) AND ${column} <> ''
  ORDER BY workspace_id ${direction}, lower(${column}) ${direction} LIMIT $3
) w WHERE workspace_id = $1)`;

const neighbours = (column: "code" | "title") =>
  `${walk(column, ">=", "ASC")} UNION ALL ${walk(column, "<", "DESC")}`;

const NEAR = `/* register.near-frameworks */
SELECT DISTINCT n.id, n.code, n.title
FROM (${neighbours("code")} UNION ALL ${neighbours("title")}) n ORDER BY n.code`;

/**
 * Frameworks whose code or title stands near `name` in the alphabet: all that a misspelt name can
 * have been meant for, unless its first letters are wrong and there are hundreds. In the order of
 * their codes; at most four hundred are read, however many there are.
 */
export function nearFrameworks(
  on: Queryable,
  { workspaceId, name }: { workspaceId: string; name: string },
): Promise<FrameworkRef[]> {
  return on.query<FrameworkRef>(NEAR, [workspaceId, name, NEIGHBOURS]);
}
