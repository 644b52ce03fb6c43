import type { Migration } from "../src/platform/migration.ts";

/** Which updates arrived, and what Telegram says about each bot's webhook. */
export const migration: Migration = {
  name: "0007_update_watch",
  async up(knex) {
    await knex.raw(`
      -- Numbers of updates that arrived, stored or not, and nothing else of them: a row for what came
      -- within a moment, joined about every minute to a row a run without holes. What was last added
      -- to a week ago is dropped.
      CREATE TABLE seen_updates (
        workspace_id uuid        NOT NULL,
        id           bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
        connector_id uuid        NOT NULL,
        update_ids   int8multirange NOT NULL,
        -- One run, which touches no other that is joined.
        joined       boolean     NOT NULL DEFAULT false,
        -- When the first and the last of them arrived.
        from_at      timestamptz NOT NULL DEFAULT now(),
        seen_at      timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, id),
        FOREIGN KEY (workspace_id, connector_id)
          REFERENCES connectors (workspace_id, id) ON DELETE CASCADE
      ) WITH (autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 1000);
      CREATE INDEX seen_updates_of_connector ON seen_updates (connector_id);

      -- One row a connector: who looks after it next is who moves next_check_at.
      CREATE TABLE connector_watch (
        workspace_id    uuid        NOT NULL,
        connector_id    uuid        NOT NULL,
        next_check_at   timestamptz NOT NULL,
        checked_at      timestamptz,
        -- Telegram's pending_update_count at checked_at; null while it could not be asked.
        pending         bigint,
        -- Since when each look has found some waiting, and since when many.
        pending_since   timestamptz,
        high_since      timestamptz,
        -- Telegram's words on the last delivery that failed, without addresses and secrets.
        last_error      text,
        last_error_at   timestamptz,
        -- Why Telegram could not be asked, or what is wrong with the webhook.
        check_error     text,
        -- When the webhook was last found to be another than registered, how, and how often, each
        -- within a day of the one before.
        drift           text,
        drift_at        timestamptz,
        drifts          integer     NOT NULL DEFAULT 0,
        missing         bigint      NOT NULL DEFAULT 0,
        missing_since   timestamptz,
        -- [{firstId, lastId, since}]: the newest, as many as are worth reading, in order of time.
        missing_ranges  jsonb       NOT NULL DEFAULT '[]',
        PRIMARY KEY (workspace_id, connector_id),
        FOREIGN KEY (workspace_id, connector_id)
          REFERENCES connectors (workspace_id, id) ON DELETE CASCADE
      ) WITH (fillfactor = 50);
      CREATE INDEX connector_watch_due ON connector_watch (next_check_at);
    `);
  },
};
