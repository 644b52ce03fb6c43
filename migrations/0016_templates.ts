import type { Migration } from "../src/platform/migration.ts";
import { tenantTable } from "./tenant-table.ts";

/** Templates of messages, in versions that never change. */
export const migration: Migration = {
  name: "0016_templates",
  async up(knex) {
    await knex.raw(`
      -- In which times of day are written where nothing else is said.
      ALTER TABLE workspaces ADD time_zone text NOT NULL DEFAULT 'UTC';

      -- Names are compared by their bytes: pages of a list go by them, with those that are not stored.
      CREATE TABLE templates (
        workspace_id uuid        NOT NULL,
        name         text        COLLATE "C" NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,63}$'),
        -- The number of the newest version.
        newest       integer     NOT NULL CHECK (newest > 0),
        created_at   timestamptz NOT NULL DEFAULT now(),
        updated_at   timestamptz NOT NULL DEFAULT now(),
        archived_at  timestamptz,
        PRIMARY KEY (workspace_id, name),
        CONSTRAINT templates_workspace FOREIGN KEY (workspace_id)
          REFERENCES workspaces (id) ON DELETE CASCADE
      );

      CREATE TABLE template_versions (
        workspace_id uuid        NOT NULL,
        name         text        COLLATE "C" NOT NULL,
        version      integer     NOT NULL CHECK (version > 0),
        description  text,
        format       text        NOT NULL CHECK (format IN ('html', 'markdown')),
        body         text        NOT NULL CHECK (body <> ''),
        variables    jsonb       NOT NULL,
        link_preview boolean     NOT NULL,
        time_zone    text,
        -- The body as it was read when it was saved: what is sent is made of this.
        compiled     jsonb       NOT NULL,
        created_at   timestamptz NOT NULL DEFAULT now(),
        -- 'key:<id>' of an API key.
        created_by   text,
        PRIMARY KEY (workspace_id, name, version),
        CONSTRAINT template_versions_template FOREIGN KEY (workspace_id, name)
          REFERENCES templates (workspace_id, name) ON DELETE CASCADE
      );

      -- What a message was made of; 0 is the version of a built-in template, which has no row.
      ALTER TABLE outbound_messages
        ADD template         text,
        ADD template_version integer,
        ADD CHECK ((template IS NULL) = (template_version IS NULL));

      ${tenantTable("templates", { tenantMay: "SELECT, INSERT, UPDATE" })}
      ${tenantTable("template_versions", { tenantMay: "SELECT, INSERT", engineMay: "SELECT, INSERT" })}
    `);
  },
};
