import { ENGINE_ROLE, TENANT_ROLE } from "../src/platform/database-roles.ts";

interface TenantTable {
  /**
   * What work for a workspace does with the table, e.g. `SELECT, INSERT`. Empty: nothing, it is the
   * engine that works for the workspace there.
   */
  tenantMay?: string;
  /** What the engine does with it. */
  engineMay?: string;
  /** The column that says whose a row is. */
  workspace?: string;
}

/**
 * SQL that keeps the workspaces in `table` apart in the database itself: row-level security, in force
 * for the table's owner too. The tenant role sees and writes rows of the workspace that its
 * transaction named, whatever a statement asks for; the engine's role all of them.
 *
 * Every table with a `workspace_id` goes through here in the migration that creates it; a test walks
 * the catalogue for one that did not.
 */
export const tenantTable = (
  table: string,
  {
    tenantMay = "SELECT, INSERT, UPDATE, DELETE",
    engineMay = "SELECT, INSERT, UPDATE, DELETE",
    workspace = "workspace_id",
  }: TenantTable = {},
): string => `
  ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
  CREATE POLICY engine ON ${table} TO ${ENGINE_ROLE} USING (true) WITH CHECK (true);
  CREATE POLICY tenant ON ${table} TO ${TENANT_ROLE}
    USING (${workspace} = current_workspace()) WITH CHECK (${workspace} = current_workspace());
  GRANT ${engineMay} ON ${table} TO ${ENGINE_ROLE};
  ${tenantMay === "" ? "" : `GRANT ${tenantMay} ON ${table} TO ${TENANT_ROLE};`}
`;
