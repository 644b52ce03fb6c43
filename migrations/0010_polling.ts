import type { Migration } from "../src/platform/migration.ts";

/** Who asks Telegram for which bot's updates, where they are asked for. */
export const migration: Migration = {
  name: "0010_polling",
  async up(knex) {
    await knex.raw(`
      -- One row a bot that was ever polled. Its holder's lease is renewed every few seconds; nothing
      -- that changes is indexed.
      CREATE TABLE polled_bots (
        workspace_id  uuid        NOT NULL,
        connector_id  uuid        NOT NULL,
        owner         uuid,
        epoch         bigint      NOT NULL DEFAULT 0,
        lease_until   timestamptz,
        -- Telegram asked to be left alone until then, whoever asks.
        held_until    timestamptz,
        -- Why updates may not come, in words for who operates; null: they do.
        trouble       text,
        trouble_since timestamptz,
        PRIMARY KEY (workspace_id, connector_id),
        FOREIGN KEY (workspace_id, connector_id)
          REFERENCES connectors (workspace_id, id) ON DELETE CASCADE,
        CHECK ((owner IS NULL) = (lease_until IS NULL)),
        CHECK ((trouble IS NULL) = (trouble_since IS NULL))
      ) WITH (fillfactor = 50);
    `);
  },
};
