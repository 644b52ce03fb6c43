/**
 * The roles under which statements run (docs/tenancy.md). Neither can log in: the login of
 * DATABASE_URL takes them, the engine's for as long as a connection lives, the tenant's for one
 * transaction.
 */
export const ENGINE_ROLE = "heliograph_engine";
export const TENANT_ROLE = "heliograph_tenant";
