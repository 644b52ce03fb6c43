import type { Queryable } from "../platform/index.ts";

/**
 * Who did something, as rows and the audit log name them: `person:<id>`, `telegram:<user id>`,
 * `key:<id>`. An account that is bound to a person is that person, always.
 */
export interface Who {
  name: string;
  /** Telegram's id of their account; null: none is known. */
  account: string | null;
}

const PERSON_OF = `/* evidence.person-of-account */
SELECT id FROM people WHERE workspace_id = $1 AND telegram_user_id = $2`;
const ACCOUNT_OF = `/* evidence.account-of-person */
SELECT telegram_user_id AS account FROM people WHERE workspace_id = $1 AND id = $2`;

/** Throws for a name that is none. */
export async function whoIs(on: Queryable, workspaceId: string, name: string): Promise<Who> {
  const [, kind, id] = /^(telegram|person|key):(.+)$/.exec(name) ?? [];
  if (kind === "telegram") {
    const [row] = await on.query<{ id: string }>(PERSON_OF, [workspaceId, id]);
    return { name: row === undefined ? name : `person:${row.id}`, account: id ?? null };
  }
  if (kind === "person") {
    const [row] = await on.query<{ account: string | null }>(ACCOUNT_OF, [workspaceId, id]);
    return { name, account: row?.account ?? null };
  }
  if (kind === undefined)
    throw new Error("whoever does something is a person, an account or a key");
  return { name, account: null };
}

/** Whoever was bound to their account since, or is no longer, is still the same. */
export const isSame = (one: Who, other: Who): boolean =>
  one.name === other.name || (one.account !== null && one.account === other.account);
