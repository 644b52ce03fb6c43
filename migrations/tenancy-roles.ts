import type { Knex } from "knex";
import { sqlState } from "../src/platform/database.ts";
import { ENGINE_ROLE, TENANT_ROLE } from "../src/platform/database-roles.ts";

/**
 * Roles belong to the whole server: another database's migration may make them at the same moment, or
 * have made them, and a DBA may have done both before. Who makes one waits for the other transaction
 * to end, and then finds it there. Where a login must be made a member, that may collide as well, and
 * is done then too.
 *
 * Postgres 16 and newer tell who may take a role from who merely belongs to it; whoever makes a role
 * there belongs to it and may not take it before it has granted that to itself.
 */
const MAKE_ROLES = `
DO $$
DECLARE
  wanted name;
  may_act text := CASE WHEN current_setting('server_version_num')::int >= 160000
    THEN 'SET' ELSE 'MEMBER' END;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['${TENANT_ROLE}', '${ENGINE_ROLE}']::name[] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
      END;
    END IF;
    FOR attempt IN 1..3 LOOP
      EXIT WHEN pg_has_role(current_user, wanted, may_act);
      BEGIN
        EXECUTE format('GRANT %I TO %I', wanted, current_user);
      -- internal_error: "tuple concurrently updated"
      EXCEPTION WHEN duplicate_object OR unique_violation OR internal_error THEN
        IF attempt = 3 THEN RAISE; END IF;
      END;
    END LOOP;
  END LOOP;
END $$`;

/** What a DBA gives a login that may not do this itself; psql takes it as it stands. */
export const dbaStatements = (login: string): string =>
  [
    `CREATE ROLE ${TENANT_ROLE}`,
    `CREATE ROLE ${ENGINE_ROLE}`,
    `GRANT ${ENGINE_ROLE}, ${TENANT_ROLE} TO "${login.replaceAll('"', '""')}"`,
  ].join("; ");

/**
 * Makes the roles where they are not, and the migrating login a member of them. Throws with what a
 * DBA must run first where the login may not.
 */
export async function makeRoles(knex: Knex): Promise<void> {
  const found = (await knex.raw("SELECT current_user AS login")) as { rows: { login: string }[] };
  const login = found.rows[0]?.login ?? "";
  try {
    await knex.raw(MAKE_ROLES);
  } catch (error) {
    if (sqlState(error) !== "42501") throw error;
    throw new Error(
      `the login ${login} may not make the roles that keep workspaces apart (or take them): a DBA has to run first: ${dbaStatements(login)};`,
      { cause: error },
    );
  }
}
