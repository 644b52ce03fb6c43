import type { Migration } from "../src/platform/migration.ts";

/**
 * The audit log. What happened (`audit_entries`) and its place in the chain (`audit_seals`) are only
 * ever inserted; what changes beside them is the list of what waits to be sealed and the head.
 *
 * No foreign keys: the log outlives what it speaks of, and a key's check would lock entries, for which
 * Postgres asks the right to update them. The installation's own chain has the nil uuid as workspace.
 */
export const migration: Migration = {
  name: "0008_audit",
  async up(knex) {
    await knex.raw(`
      CREATE TABLE audit_entries (
        workspace_id uuid        NOT NULL,
        id           bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
        at           timestamptz NOT NULL DEFAULT clock_timestamp(),
        actor_kind   text        NOT NULL CHECK (actor_kind IN ('api_key', 'admin', 'system', 'telegram_user')),
        actor_id     text        NOT NULL CHECK (length(actor_id) BETWEEN 1 AND 200),
        action       text        NOT NULL CHECK (action ~ '^[a-z_]+[.][a-z_]+$'),
        subject_kind text        NOT NULL CHECK (subject_kind ~ '^[a-z_]+$'),
        subject_id   text        CHECK (length(subject_id) BETWEEN 1 AND 400),
        details      jsonb       NOT NULL DEFAULT '{}'
          CHECK (jsonb_typeof(details) = 'object' AND octet_length(details::text) <= 8000),
        request_id   uuid,
        PRIMARY KEY (workspace_id, id)
      );
      CREATE INDEX audit_entries_at ON audit_entries (workspace_id, at, id);
      CREATE INDEX audit_entries_action ON audit_entries (workspace_id, action, at, id);
      CREATE INDEX audit_entries_actor ON audit_entries (workspace_id, actor_id, at, id);
      CREATE INDEX audit_entries_subject ON audit_entries (workspace_id, subject_id, at, id)
        WHERE subject_id IS NOT NULL;

      CREATE TABLE audit_seals (
        workspace_id uuid        NOT NULL,
        number       bigint      NOT NULL CHECK (number > 0),
        entry_id     bigint      NOT NULL,
        hash         bytea       NOT NULL CHECK (length(hash) = 32),
        PRIMARY KEY (workspace_id, number),
        UNIQUE (workspace_id, entry_id)
      );

      -- Entries by the transactions that wrote them, until they are sealed.
      CREATE TABLE audit_unsealed (
        workspace_id uuid        NOT NULL,
        entry_id     bigint      NOT NULL,
        PRIMARY KEY (workspace_id, entry_id)
      ) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

      -- Whoever seals holds the row. Its content is sealed with ENCRYPTION_KEYS.
      CREATE TABLE audit_heads (
        workspace_id uuid        NOT NULL,
        id           uuid        NOT NULL GENERATED ALWAYS AS (workspace_id) STORED,
        head_sealed  bytea,
        PRIMARY KEY (workspace_id, id)
      ) WITH (fillfactor = 50);

      CREATE FUNCTION audit_entry_waits() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        INSERT INTO audit_unsealed (workspace_id, entry_id) SELECT workspace_id, id FROM written;
        RETURN NULL;
      END $$;
      CREATE TRIGGER audit_entry_waits AFTER INSERT ON audit_entries
        REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_waits();

      CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
          USING ERRCODE = 'insufficient_privilege';
      END $$;
      -- By statement, so that one that meets no row is refused too.
      CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
        FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
      CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals
        FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
      ALTER TABLE audit_entries ENABLE ALWAYS TRIGGER audit_entry_waits;
      ALTER TABLE audit_entries ENABLE ALWAYS TRIGGER audit_is_append_only;
      ALTER TABLE audit_seals ENABLE ALWAYS TRIGGER audit_is_append_only;
      REVOKE UPDATE, DELETE, TRUNCATE ON audit_entries, audit_seals FROM PUBLIC, CURRENT_USER;
    `);
  },
};
