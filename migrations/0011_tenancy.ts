import { ENGINE_ROLE, TENANT_ROLE } from "../src/platform/database-roles.ts";
import type { Migration } from "../src/platform/migration.ts";
import { makeRoles } from "./tenancy-roles.ts";
import { tenantTable } from "./tenant-table.ts";

/** What work for a workspace does with the tables of the migrations before this one. */
const TENANT_MAY: Record<string, string> = {
  api_keys: "SELECT, INSERT, UPDATE",
  idempotency_keys: "SELECT, INSERT, UPDATE, DELETE",
  chats: "SELECT, INSERT, UPDATE",
  contacts: "SELECT, UPDATE",
  conversations: "SELECT, UPDATE",
  messages: "SELECT",
  message_edits: "SELECT",
  message_reactions: "SELECT",
  topics: "SELECT",
  polls: "SELECT",
  poll_answers: "SELECT",
  business_connections: "SELECT",
  members: "SELECT",
  outbound_messages: "SELECT, INSERT",
  send_attempts: "SELECT",
  send_holds: "SELECT",
  send_rates: "SELECT",
  paid_sends: "SELECT",
  // The pace alone looks at them.
  direct_calls: "",
  seen_updates: "SELECT",
  connector_watch: "SELECT",
  polled_bots: "SELECT",
  // The room that has them searches and changes them as the engine (docs/decisions/0019).
  lanes: "",
  jobs: "",
  job_bodies: "",
  job_attempts: "",
  job_counts: "",
  job_count_changes: "",
  job_rates: "",
};

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

/** Of a connector, work for its workspace neither reads nor writes these. */
const CREDENTIALS = ["token_sealed", "secret_hash", "previous_secret_hashes"];

/** Workspaces kept apart by the database itself. */
export const migration: Migration = {
  name: "0011_tenancy",
  async up(knex) {
    await makeRoles(knex);
    await knex.raw(`
      -- The workspace that the transaction works for. After it the setting is '' and not null.
      CREATE FUNCTION current_workspace() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
        RETURN nullif(current_setting('app.workspace_id', true), '')::uuid;
      GRANT EXECUTE ON FUNCTION current_workspace() TO ${TENANT_ROLE}, ${ENGINE_ROLE};

      -- A server may have taken from everybody what Postgres gives to everybody.
      DO $$ BEGIN
        IF NOT has_schema_privilege('${TENANT_ROLE}', current_schema(), 'USAGE')
          OR NOT has_schema_privilege('${ENGINE_ROLE}', current_schema(), 'USAGE') THEN
          EXECUTE format('GRANT USAGE ON SCHEMA %I TO ${TENANT_ROLE}, ${ENGINE_ROLE}',
            current_schema());
        END IF;
      END $$;

      ${Object.entries(TENANT_MAY)
        .map(([table, tenantMay]) => tenantTable(table, { tenantMay }))
        .join("\n")}
      ${tenantTable("workspaces", { workspace: "id", tenantMay: "SELECT" })}
      ${tenantTable("audit_entries", { tenantMay: "SELECT, INSERT", engineMay: "SELECT, INSERT" })}
      ${tenantTable("audit_seals", { tenantMay: "SELECT", engineMay: "SELECT, INSERT" })}
      ${tenantTable("audit_unsealed", { tenantMay: "INSERT" })}
      ${tenantTable("audit_heads", { tenantMay: "" })}

      ${tenantTable("connectors", { tenantMay: "" })}
      DO $$ BEGIN
        EXECUTE (
          SELECT format('GRANT SELECT (%1$s), UPDATE (%1$s) ON connectors TO ${TENANT_ROLE}',
            string_agg(quote_ident(attname), ', '))
          FROM pg_attribute
          WHERE attrelid = 'connectors'::regclass AND attnum > 0 AND NOT attisdropped
            AND attname <> ALL ('{${CREDENTIALS.join(",")}}')
        );
      END $$;

      ${ENGINE_TABLES.map(
        (table) => `GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO ${ENGINE_ROLE};`,
      ).join("\n")}
      GRANT SELECT, USAGE ON SEQUENCE job_ids, lease_epochs, job_begins TO ${ENGINE_ROLE};
    `);
  },
};
