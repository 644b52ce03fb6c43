/** The roles under which statements run: one workspace's work, and the engine's. Neither can log in. */
export const TENANT_ROLE = "heliograph_tenant";
export const ENGINE_ROLE = "heliograph_engine";

/**
 * SQL that keeps the workspaces in `table` apart in the database itself: row-level security, in force
 * for the table's owner too. The tenant role sees and writes rows of the workspace that its
 * transaction named, whatever a statement asks for; the engine's role all of them.
 *
 * Every table with a `workspace_id` goes through here in the migration that creates it; a test walks
 * the catalogue for one that did not. `tenantMay`: what work for a workspace does with it.
 */
export const tenantTable = (
  table: string,
  {
    tenantMay = "SELECT, INSERT, UPDATE, DELETE",
    workspace = "workspace_id",
  }: { tenantMay?: string; workspace?: string } = {},
): string => `
  ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
  CREATE POLICY engine ON ${table} TO ${ENGINE_ROLE} USING (true) WITH CHECK (true);
  CREATE POLICY tenant ON ${table} TO ${TENANT_ROLE}
    USING (${workspace} = current_workspace()) WITH CHECK (${workspace} = current_workspace());
  GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO ${ENGINE_ROLE};
  GRANT ${tenantMay} ON ${table} TO ${TENANT_ROLE};
`;
