import { recordAudit } from "../audit/index.ts";
import type { Queryable } from "../platform/index.ts";
import { PERSON_COLUMNS, type PersonView, personView } from "./people.ts";

/** Whom a connector names, for the access level `named`. */

/** A connector and a person of one workspace. */
interface Naming {
  workspaceId: string;
  connectorId: string;
  personId: string;
}

const NAME = `/* people.name */
WITH meant AS MATERIALIZED (
  SELECT p.workspace_id, c.id AS connector_id, p.id AS person_id
  FROM people p JOIN connectors c ON c.workspace_id = p.workspace_id
  WHERE p.workspace_id = $1 AND c.id = $2 AND p.id = $3 AND c.status <> 'removed'
  FOR KEY SHARE OF p, c
), named AS (
  INSERT INTO connector_people (workspace_id, connector_id, person_id) SELECT * FROM meant
  ON CONFLICT DO NOTHING RETURNING 1
)
SELECT (SELECT count(*) FROM named)::int AS news FROM meant`;

/**
 * Names a person; once more changes nothing. In the caller's transaction, with its entry. False when
 * the workspace lacks the connector or the person.
 */
export async function namePerson(tx: Queryable, naming: Naming): Promise<boolean> {
  const { workspaceId, connectorId, personId } = naming;
  const [row] = await tx.query<{ news: number }>(NAME, [workspaceId, connectorId, personId]);
  if (row === undefined) return false;
  if (row.news > 0) {
    const named = { action: "connector.person_named", subjectId: connectorId } as const;
    await recordAudit(tx, { workspaceId, ...named, details: { personId } });
  }
  return true;
}

const UNNAME = `/* people.unname */
DELETE FROM connector_people WHERE workspace_id = $1 AND connector_id = $2 AND person_id = $3
RETURNING 1`;

/** As `namePerson`; false when the connector did not name them. */
export async function unnamePerson(tx: Queryable, naming: Naming): Promise<boolean> {
  const { workspaceId, connectorId, personId } = naming;
  const rows = await tx.query(UNNAME, [workspaceId, connectorId, personId]);
  if (rows.length === 0) return false;
  const unnamed = { action: "connector.person_unnamed", subjectId: connectorId } as const;
  await recordAudit(tx, { workspaceId, ...unnamed, details: { personId } });
  return true;
}

const LIST = `/* people.list-named */
SELECT ${PERSON_COLUMNS} FROM connector_people n
JOIN people p ON p.workspace_id = n.workspace_id AND p.id = n.person_id
WHERE n.workspace_id = $1 AND n.connector_id = $2 AND ($3::uuid IS NULL OR n.person_id > $3)
ORDER BY n.person_id LIMIT $4`;

/** Those a connector names, by id. */
export async function listNamed(
  on: Queryable,
  { workspaceId, connectorId }: Omit<Naming, "personId">,
  { limit, afterId }: { limit: number; afterId?: string },
): Promise<PersonView[]> {
  const rows = await on.query<Parameters<typeof personView>[0]>(LIST, [
    workspaceId,
    connectorId,
    afterId ?? null,
    limit,
  ]);
  return rows.map(personView);
}
