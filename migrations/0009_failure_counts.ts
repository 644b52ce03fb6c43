import type { Migration } from "../src/platform/migration.ts";

/** How often somebody failed to prove who they are, where there is no Redis to count it in. */
export const migration: Migration = {
  name: "0009_failure_counts",
  async up(knex) {
    await knex.raw(`
      -- Unlogged: a count is worth neither a write-ahead log nor anybody's wait for the disk, and one
      -- that is lost in a crash begins anew. Its columns are those that rate-limiter-flexible writes.
      CREATE UNLOGGED TABLE failure_counts (
        -- What is counted, hashed.
        key    text    PRIMARY KEY,
        points integer NOT NULL,
        -- When the window ends, in ms since the epoch.
        expire bigint  NOT NULL
      ) WITH (fillfactor = 50);
      CREATE INDEX failure_counts_expire ON failure_counts (expire);
    `);
  },
};
