import type { Migration } from "../src/platform/migration.ts";

/** The processes of the installation, as each tells of itself, and what a job led to. */
export const migration: Migration = {
  name: "0006_processes",
  async up(knex) {
    await knex.raw(`
      -- A row a process, overwritten by each heartbeat; nothing that changes is indexed.
      CREATE TABLE processes (
        -- The owner of the leases it takes.
        id                  uuid        PRIMARY KEY,
        role                text        NOT NULL,
        host                text        NOT NULL,
        pid                 integer     NOT NULL,
        version             text        NOT NULL,
        queues              text[]      NOT NULL,
        started_at          timestamptz NOT NULL,
        heartbeat_at        timestamptz NOT NULL,
        lanes_held          integer     NOT NULL,
        -- Some of them, queues beside lanes: what lanes.owner is asked about by its key.
        held_queues         text[]      NOT NULL,
        held_lanes          text[]      NOT NULL,
        event_loop_delay_ms real        NOT NULL,
        memory_bytes        bigint      NOT NULL,
        CHECK (cardinality(held_queues) = cardinality(held_lanes))
      ) WITH (fillfactor = 50);

      -- What a job caused, for its page. Only jobs that another one caused pay for it.
      CREATE INDEX jobs_effects ON jobs (workspace_id, cause_id, id) WHERE filed AND cause_id IS NOT NULL;
    `);
  },
};
