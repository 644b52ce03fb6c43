import { recordAudit } from "../audit/index.ts";
import type { Queryable } from "../platform/index.ts";
import type { Role } from "./person-role.ts";

/** A person of a workspace. */
export interface PersonView {
  id: string;
  name: string;
  /** Counts where a connector's access level is `agents`. */
  agentEnabled: boolean;
  role: Role;
  /** Null until an account has confirmed a link. */
  telegramUserId: string | null;
  boundAt: string | null;
  createdAt: string;
}

interface PersonRow {
  id: string;
  name: string;
  agent_enabled: boolean;
  role: Role;
  telegram_user_id: string | null;
  bound_at: Date | null;
  created_at: Date;
}

/** One person of one workspace. */
interface PersonKey {
  workspaceId: string;
  id: string;
}

/** Of `people p`. */
export const PERSON_COLUMNS =
  "p.id, p.name, p.agent_enabled, p.role, p.telegram_user_id, p.bound_at, p.created_at";

const INSERT = `/* people.insert */
INSERT INTO people AS p (workspace_id, name, agent_enabled, role) VALUES ($1, $2, $3, $4)
RETURNING ${PERSON_COLUMNS}`;

/** In the caller's transaction, with its entry in the audit log. */
export async function createPerson(
  tx: Queryable,
  {
    workspaceId,
    name,
    agentEnabled,
    role = "employee",
  }: { workspaceId: string; name: string; agentEnabled: boolean; role?: Role },
): Promise<PersonView> {
  const [row] = await tx.query<PersonRow>(INSERT, [workspaceId, name, agentEnabled, role]);
  if (row === undefined) throw new Error("an insert without a condition gave no row");
  await recordAudit(tx, { workspaceId, action: "person.created", subjectId: row.id });
  return personView(row);
}

const LIST = `/* people.list */
SELECT ${PERSON_COLUMNS} FROM people p
WHERE p.workspace_id = $1 AND ($2::uuid IS NULL OR p.id > $2)
ORDER BY p.id LIMIT $3`;

/** By id. */
export async function listPeople(
  on: Queryable,
  workspaceId: string,
  { limit, afterId }: { limit: number; afterId?: string },
): Promise<PersonView[]> {
  const rows = await on.query<PersonRow>(LIST, [workspaceId, afterId ?? null, limit]);
  return rows.map(personView);
}

const GET = `/* people.get */
SELECT ${PERSON_COLUMNS} FROM people p WHERE p.workspace_id = $1 AND p.id = $2`;

/** Null when the workspace has no such person. */
export async function getPerson(
  on: Queryable,
  { workspaceId, id }: PersonKey,
): Promise<PersonView | null> {
  const [row] = await on.query<PersonRow>(GET, [workspaceId, id]);
  return row === undefined ? null : personView(row);
}

const CHANGE = `/* people.change */
UPDATE people AS p SET
  name = coalesce($3, p.name),
  agent_enabled = coalesce($4, p.agent_enabled),
  role = coalesce($6, p.role),
  telegram_user_id = CASE WHEN $5 THEN NULL ELSE p.telegram_user_id END,
  bound_at = CASE WHEN $5 THEN NULL ELSE p.bound_at END,
  updated_at = now()
WHERE p.workspace_id = $1 AND p.id = $2
RETURNING ${PERSON_COLUMNS}`;

/** What is given; `telegramUserId: null` ends the binding. */
export interface PersonChange {
  name?: string;
  agentEnabled?: boolean;
  role?: Role;
  telegramUserId?: null;
}

/** In the caller's transaction, with its entry; null when the workspace has no such person. */
export async function changePerson(
  tx: Queryable,
  { workspaceId, id }: PersonKey,
  change: PersonChange,
): Promise<PersonView | null> {
  const [row] = await tx.query<PersonRow>(CHANGE, [
    workspaceId,
    id,
    change.name ?? null,
    change.agentEnabled ?? null,
    change.telegramUserId === null,
    change.role ?? null,
  ]);
  if (row === undefined) return null;
  const fields = Object.entries(change).flatMap(([name, value]) =>
    value === undefined ? [] : [name],
  );
  const details = { fields };
  await recordAudit(tx, { workspaceId, action: "person.updated", subjectId: id, details });
  return personView(row);
}

const REMOVE = `/* people.remove */
DELETE FROM people WHERE workspace_id = $1 AND id = $2 RETURNING telegram_user_id`;

/**
 * Removes a person with what hangs on them: the account's binding, links, namings. In the caller's
 * transaction, with its entry; false when the workspace has no such person.
 */
export async function removePerson(
  tx: Queryable,
  { workspaceId, id }: PersonKey,
): Promise<boolean> {
  const [row] = await tx.query<{ telegram_user_id: string | null }>(REMOVE, [workspaceId, id]);
  if (row === undefined) return false;
  const details = { wasBound: row.telegram_user_id !== null };
  await recordAudit(tx, { workspaceId, action: "person.removed", subjectId: id, details });
  return true;
}

export function personView(row: PersonRow): PersonView {
  return {
    id: row.id,
    name: row.name,
    agentEnabled: row.agent_enabled,
    role: row.role,
    telegramUserId: row.telegram_user_id,
    boundAt: row.bound_at?.toISOString() ?? null,
    createdAt: row.created_at.toISOString(),
  };
}
