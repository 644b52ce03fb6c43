import { type Queryable, sqlState } from "./database.ts";
import { ENGINE_ROLE, TENANT_ROLE } from "./database-roles.ts";

/** The database answers, and cannot be worked with as it is. The message is one line that says what to do. */
export class DatabaseNotReady extends Error {
  override name = "DatabaseNotReady";
}

/** `may_act`: Postgres 16 and newer tell who may take a role from who merely belongs to it. */
const LOOK = `SELECT current_user AS role, session_user AS login,
  to_regclass('jobs') IS NOT NULL AS is_migrated,
  pg_has_role(session_user, t.oid, CASE WHEN current_setting('server_version_num')::int >= 160000
    THEN 'SET' ELSE 'MEMBER' END) AS may_act,
  t.rolsuper OR t.rolbypassrls OR e.rolsuper OR e.rolbypassrls AS bypasses,
  pg_has_role(t.oid, e.oid, 'MEMBER') AS tenant_is_engine
FROM pg_roles t JOIN pg_roles e ON e.rolname = '${ENGINE_ROLE}' WHERE t.rolname = '${TENANT_ROLE}'`;

interface Found {
  role: string;
  login: string;
  is_migrated: boolean;
  may_act: boolean;
  bypasses: boolean;
  tenant_is_engine: boolean;
}

/**
 * Says at start whether `db` works under the roles that keep workspaces apart. Throws
 * `DatabaseNotReady` with what somebody has to do, or the database's own error when it is away.
 */
export async function assertDatabaseReady(db: Queryable): Promise<void> {
  let found: Found | undefined;
  try {
    [found] = await db.query<Found>(LOOK);
  } catch (error) {
    throw reasonOf(error);
  }
  const wrong = found === undefined ? NOT_MIGRATED : faultOf(found);
  if (wrong !== null) throw new DatabaseNotReady(wrong);
}

const NOT_MIGRATED =
  "the database of DATABASE_URL is not migrated: run `heliograph migrate`, the release step, first";
const GRANT = `somebody who may has to run once: GRANT ${ENGINE_ROLE}, ${TENANT_ROLE} TO`;

const POOLER =
  'what stands between here and the database of DATABASE_URL does not pass the startup parameter "options"';
const PASS_IT = `so that connections do not work as ${ENGINE_ROLE}: let it pass "options", or go past it`;

/** A connection takes the engine's role as it begins, and is refused where it cannot. */
function reasonOf(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const state = sqlState(error);
  let wrong: string | undefined;
  if (state === "08P01" && error.message.includes("startup parameter")) {
    wrong = `${POOLER}, ${PASS_IT}`;
  } else if (!error.message.includes(ENGINE_ROLE)) {
    return error;
  } else if (state === "22023") {
    wrong = NOT_MIGRATED;
  } else if (state === "42501") {
    wrong = `the login of DATABASE_URL may not act as ${ENGINE_ROLE}; ${GRANT} that login`;
  }
  return wrong === undefined ? error : new DatabaseNotReady(wrong, { cause: error });
}

function faultOf({ role, login, is_migrated, may_act, bypasses, tenant_is_engine }: Found) {
  if (role !== ENGINE_ROLE) return `${POOLER}, ${PASS_IT}`;
  if (!is_migrated) return NOT_MIGRATED;
  if (!may_act) return `the login ${login} may not act as ${TENANT_ROLE}; ${GRANT} "${login}"`;
  if (bypasses) {
    return `${TENANT_ROLE} or ${ENGINE_ROLE} passes row-level security by; a DBA has to run, of both: ALTER ROLE … NOSUPERUSER NOBYPASSRLS`;
  }
  if (tenant_is_engine) {
    return `${TENANT_ROLE} may act as ${ENGINE_ROLE}; a DBA has to revoke that`;
  }
  return null;
}
