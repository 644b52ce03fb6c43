import type { Migration } from "../src/platform/migration.ts";
import { ENGINE_ROLE, TENANT_ROLE, tenantTable } from "./tenant-table.ts";

/** Tables of the migrations before this one; later ones call `tenantTable` themselves. */
const TENANT_TABLES = [
  "api_keys",
  "connectors",
  "idempotency_keys",
  "lanes",
  "jobs",
  "job_bodies",
  "job_attempts",
  "job_counts",
  "job_count_changes",
  "job_rates",
  "chats",
  "contacts",
  "conversations",
  "messages",
  "message_edits",
  "message_reactions",
  "topics",
  "polls",
  "poll_answers",
  "business_connections",
  "members",
  "outbound_messages",
  "send_attempts",
  "send_holds",
  "seen_updates",
  "connector_watch",
  "polled_bots",
];

/** What belongs to no workspace: only the engine's work meets it. */
const ENGINE_TABLES = [
  "job_keys",
  "worker_deaths",
  "paused_queues",
  "job_clock",
  "turns",
  "processes",
  "failure_counts",
];

/** A role may be there already: roles belong to the whole server, which may hold several databases. */
const role = (name: string) => `
  DO $$ BEGIN
    CREATE ROLE ${name} NOLOGIN NOSUPERUSER NOBYPASSRLS;
  EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
  END $$;
`;

/** Workspaces kept apart by the database itself. */
export const migration: Migration = {
  name: "0011_tenancy",
  async up(knex) {
    await knex.raw(`
      ${role(TENANT_ROLE)}
      ${role(ENGINE_ROLE)}

      -- The workspace that the transaction works for. After it the setting is '' and not null.
      CREATE FUNCTION current_workspace() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
        SELECT nullif(current_setting('app.workspace_id', true), '')::uuid
      $$;

      ${TENANT_TABLES.map((table) => tenantTable(table)).join("\n")}
      ${tenantTable("workspaces", { workspace: "id", tenantMay: "SELECT" })}
      ${tenantTable("audit_entries", { tenantMay: "SELECT, INSERT" })}
      ${tenantTable("audit_seals", { tenantMay: "SELECT" })}
      ${tenantTable("audit_unsealed", { tenantMay: "SELECT, INSERT" })}
      ${tenantTable("audit_heads", { tenantMay: "SELECT" })}

      ${ENGINE_TABLES.map(
        (table) => `GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO ${ENGINE_ROLE};`,
      ).join("\n")}
      GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ${ENGINE_ROLE};
    `);
  },
};
