import { ENGINE_ROLE, type Queryable, TENANT_ROLE } from "../../src/platform/index.ts";

/** Tables that belong to no workspace, and why. */
export const ENGINE_TABLES: Record<string, string> = {
  job_keys: "a key is of a queue, and holds nothing of the job but what its sender made it of",
  worker_deaths: "processes work for everybody",
  processes: "processes work for everybody",
  paused_queues: "queues are the installation's",
  job_clock: "which job ids were given out when",
  turns: "what is done now and then, in whichever process",
  failure_counts: "who could not prove who they are belongs to nobody",
  schema_migrations: "what has been migrated; written by the migrating login alone",
  schema_migrations_lock: "what has been migrated; written by the migrating login alone",
};

/** Tables with a workspace in each row that is not first in their key, and why. */
export const OTHER_KEYS: Record<string, string> = {
  workspaces: "it is the tenant: its own id says whose the row is",
  lanes: "wakes name lanes by queue and name, a name begins with the id of what owns it",
  job_rates: "counts of the last minutes, dropped by time",
  job_count_changes: "appended and folded, looked up by nobody: it has no key",
};

interface TableRow {
  name: string;
  forced: boolean;
  has_workspace: boolean;
  first_of_key: string | null;
  policies: string;
}

const TABLES = `
SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced,
  EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'workspace_id'
    AND NOT a.attisdropped) AS has_workspace,
  (SELECT a.attname FROM pg_index i JOIN pg_attribute a
    ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = c.oid AND i.indisprimary) AS first_of_key,
  coalesce((SELECT string_agg(concat_ws(' ', p.polname, p.polcmd, p.polpermissive,
      p.polroles::regrole[]::text, pg_get_expr(p.polqual, c.oid),
      pg_get_expr(p.polwithcheck, c.oid)), '; ' ORDER BY p.polname)
    FROM pg_policy p WHERE p.polrelid = c.oid), '') AS policies
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1`;

const policiesOf = (workspace: string) => {
  const own = `(${workspace} = current_workspace())`;
  return `engine * t {${ENGINE_ROLE}} true true; tenant * t {${TENANT_ROLE}} ${own} ${own}`;
};

interface KeyRow {
  name: string;
  child: string;
  parent: string;
  child_columns: string[];
  parent_columns: string[];
}

const FOREIGN_KEYS = `
SELECT k.conname AS name, k.conrelid::regclass::text AS child, k.confrelid::regclass::text AS parent,
  ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(n, at)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.at) AS child_columns,
  ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(n, at)
    JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.at) AS parent_columns
FROM pg_constraint k
WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace ORDER BY 1, 2`;

/** Foreign keys of the schema. */
export const foreignKeys = (on: Queryable) => on.query<KeyRow>(FOREIGN_KEYS);

/** Tables whose rows belong to workspaces, each with the column that says to which. */
export async function tenantTables(on: Queryable): Promise<{ name: string; workspace: string }[]> {
  const tables = await on.query<TableRow>(TABLES);
  return tables
    .filter(({ name }) => !(name in ENGINE_TABLES))
    .map(({ name }) => ({ name, workspace: name === "workspaces" ? "id" : "workspace_id" }));
}

function faultsOfTable({ name, forced, has_workspace, first_of_key, policies }: TableRow) {
  if (name in ENGINE_TABLES) {
    return has_workspace ? [`${name} has a workspace_id, and is on the list of those without`] : [];
  }
  const faults: string[] = [];
  const workspace = name === "workspaces" ? "id" : "workspace_id";
  if (!has_workspace && name !== "workspaces") faults.push(`${name} has no workspace_id`);
  if (!forced) faults.push(`${name} has no forced row-level security`);
  if (policies !== policiesOf(workspace)) faults.push(`${name} has other policies: ${policies}`);
  if (first_of_key !== "workspace_id" && !(name in OTHER_KEYS)) {
    faults.push(`the key of ${name} does not begin with workspace_id`);
  }
  return faults;
}

function faultsOfKey({ name, child, parent, child_columns, parent_columns }: KeyRow): string[] {
  const isOwn = child_columns[0] === "workspace_id";
  const ofWorkspace = parent === "workspaces" && parent_columns.join() === "id";
  if (isOwn && (parent_columns[0] === "workspace_id" || ofWorkspace)) return [];
  return [`${name} of ${child} may point into another workspace's ${parent}`];
}

const OTHERS = `
SELECT 'function ' || p.oid::regprocedure || ' works with its owner''s rights' AS fault
FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef
UNION ALL
SELECT 'view ' || c.relname || ' shows with its owner''s rights' FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND (c.relkind = 'm' OR c.relkind = 'v'
  AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false))
UNION ALL
SELECT 'role ' || r.rolname || ' passes policies by' FROM pg_roles r
WHERE r.rolname IN ('${ENGINE_ROLE}', '${TENANT_ROLE}') AND (r.rolsuper OR r.rolbypassrls OR r.rolcanlogin)
UNION ALL
SELECT 'role ${TENANT_ROLE} is a member of ' || m.roleid::regrole FROM pg_auth_members m
WHERE m.member = '${TENANT_ROLE}'::regrole
ORDER BY 1`;

/** What in the schema does not keep workspaces apart, in words; nothing when all of it does. */
export async function tenancyFaults(on: Queryable): Promise<string[]> {
  const tables = await on.query<TableRow>(TABLES);
  const keys = await foreignKeys(on);
  const others = await on.query<{ fault: string }>(OTHERS);
  const known = new Set(tables.map(({ name }) => name));
  const gone = [...Object.keys(ENGINE_TABLES), ...Object.keys(OTHER_KEYS)].filter(
    (name) => !known.has(name),
  );
  return [
    ...tables.flatMap(faultsOfTable),
    ...keys.flatMap(faultsOfKey),
    ...others.map(({ fault }) => fault),
    ...gone.map((name) => `${name} is on a list and not in the schema`),
  ];
}
