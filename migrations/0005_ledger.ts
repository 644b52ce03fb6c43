import type { Migration } from "../src/platform/migration.ts";

/** The chat in a lane's name: `…/c-100123`, or `…/b<business connection>/123` (src/jobs/search.ts). */
const LANE_CHAT = "substring(substr(lane, 37) from '[c/](-{0,1}[0-9]+)$')";

/**
 * The ledger as people look at it and steer it: search, counts, paused queues.
 *
 * Every index on `jobs` is written twice in a job's life, since its state changes: hence short keys,
 * one number for queue and state, and "C" where order does not matter (docs/decisions/0009).
 */
export const migration: Migration = {
  name: "0005_ledger",
  async up(knex) {
    await knex.raw(`
      ALTER TABLE jobs ADD COLUMN
        -- Queue and standing as one small number (src/jobs/shelf.ts): what every search is ordered
        -- by first. The standing is the state, with what was enqueued for a later time told apart.
        shelf        smallint    NOT NULL GENERATED ALWAYS AS (
          CASE queue WHEN 'ingest' THEN 0 WHEN 'outbound' THEN 8 WHEN 'evidence' THEN 16
            WHEN 'backfill' THEN 24 WHEN 'schedule' THEN 32 WHEN 'delivery' THEN 40 END
          + CASE state WHEN 'available' THEN CASE WHEN run_at > created_at THEN 1 ELSE 0 END
            WHEN 'running' THEN 2 WHEN 'retryable' THEN 3 WHEN 'completed' THEN 4
            WHEN 'discarded' THEN 5 WHEN 'cancelled' THEN 6 END) STORED;

      -- What people search by, newest first. Shelves are few and can be counted up, so a search
      -- that names none is a handful of probes, and one that does never reads what it must drop.
      -- "+ 0" keeps the most general index from the searches that have a better one: a planner that
      -- takes a bot or a chat for a common one would walk all jobs in search of its few.
      CREATE INDEX jobs_by_shelf ON jobs ((shelf + 0), id);
      CREATE INDEX jobs_by_workspace ON jobs (workspace_id, shelf, id);
      -- The id of what owns a lane begins its name: of a connector, an account, an endpoint.
      CREATE INDEX jobs_by_owner ON jobs ("left"(lane, 36) COLLATE "C", shelf, id);
      CREATE INDEX jobs_by_lane ON jobs (lane COLLATE "C", shelf, id) WHERE length(lane) > 36;
      CREATE INDEX jobs_by_key ON jobs (ordering_key COLLATE "C", shelf, id, workspace_id)
        WHERE ordering_key IS NOT NULL;
      CREATE INDEX jobs_by_update ON jobs ((payload->>'updateId') COLLATE "C", id)
        WHERE payload->>'updateId' IS NOT NULL;
      -- Only what failed pays for these. (|| '' is to the class what + 0 is to the shelf.)
      CREATE INDEX jobs_by_error_class ON jobs ((error_class || ''), shelf, id)
        WHERE error_class IS NOT NULL;
      CREATE INDEX jobs_by_error_class_of_workspace ON jobs (workspace_id, error_class, shelf, id)
        WHERE error_class IS NOT NULL;
      CREATE INDEX jobs_by_error_class_of_owner
        ON jobs ("left"(lane, 36) COLLATE "C", error_class, shelf, id)
        WHERE error_class IS NOT NULL;
      CREATE INDEX jobs_with_error ON jobs (shelf, id) WHERE error IS NOT NULL;
      CREATE INDEX jobs_with_error_by_workspace ON jobs (workspace_id, shelf, id)
        WHERE error IS NOT NULL;
      CREATE INDEX jobs_by_error_words ON jobs USING gin (to_tsvector('simple', error))
        WHERE error IS NOT NULL;
      -- Only what was enqueued for a later time, or moved to now by hand, pays for these.
      CREATE INDEX jobs_by_time ON jobs (queue, run_at)
        WHERE state = 'available' AND run_at > created_at;
      CREATE INDEX jobs_by_workspace_time ON jobs (workspace_id, queue, run_at)
        WHERE state = 'available' AND run_at > created_at;
      -- A chat's lanes, for a search by chat: one entry a lane, and one more each time it becomes due
      -- or idle (an indexed column changes).
      CREATE INDEX lanes_by_chat ON lanes ((${LANE_CHAT})) WHERE ${LANE_CHAT} IS NOT NULL;

      -- Queues that an operator has stopped. Here, because an emptied Redis must not start them.
      CREATE TABLE paused_queues (
        queue     text        PRIMARY KEY,
        paused_at timestamptz NOT NULL DEFAULT now()
      );

      -- How many jobs are in which state. Whoever changes jobs appends what changed, so no two wait
      -- for one counter; a service folds the changes into the counts (src/jobs/job-counts.ts). The
      -- truth at any moment is the sum of both.
      CREATE TABLE job_count_changes (
        workspace_id uuid        NOT NULL,
        shelf        smallint    NOT NULL,
        change       integer     NOT NULL,
        changed_at   timestamptz NOT NULL DEFAULT now()
      ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
      CREATE TABLE job_counts (
        workspace_id uuid     NOT NULL,
        shelf        smallint NOT NULL,
        count        bigint   NOT NULL,
        PRIMARY KEY (workspace_id, shelf)
      ) WITH (fillfactor = 50);
      -- Completions by slices of five seconds; the last minutes only.
      CREATE TABLE job_rates (
        slice        timestamptz NOT NULL,
        workspace_id uuid        NOT NULL,
        shelf        smallint    NOT NULL,
        completed    bigint      NOT NULL,
        PRIMARY KEY (slice, workspace_id, shelf)
      );
      -- Which ids were the newest when: turns a search by time into one by id.
      CREATE TABLE job_clock (
        at      timestamptz PRIMARY KEY,
        last_id bigint      NOT NULL
      );

      -- When each rule of retention last had its turn, in whichever process.
      CREATE TABLE retention_runs (
        rule   text        PRIMARY KEY,
        ran_at timestamptz NOT NULL
      );

      CREATE FUNCTION count_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF TG_OP = 'INSERT' THEN
          INSERT INTO job_count_changes (workspace_id, shelf, change)
          SELECT workspace_id, shelf, count(*) FROM fresh GROUP BY 1, 2;
        ELSIF TG_OP = 'DELETE' THEN
          INSERT INTO job_count_changes (workspace_id, shelf, change)
          SELECT workspace_id, shelf, -count(*) FROM gone GROUP BY 1, 2;
        ELSE
          INSERT INTO job_count_changes (workspace_id, shelf, change)
          SELECT workspace_id, shelf, sum(change) FROM (
            SELECT workspace_id, shelf, 1 AS change FROM fresh
            UNION ALL
            SELECT workspace_id, shelf, -1 FROM gone
          ) both_sides
          GROUP BY 1, 2 HAVING sum(change) <> 0;
        END IF;
        RETURN NULL;
      END $$;
      CREATE TRIGGER jobs_counted_insert AFTER INSERT ON jobs
        REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION count_jobs();
      CREATE TRIGGER jobs_counted_update AFTER UPDATE ON jobs
        REFERENCING NEW TABLE AS fresh OLD TABLE AS gone
        FOR EACH STATEMENT EXECUTE FUNCTION count_jobs();
      CREATE TRIGGER jobs_counted_delete AFTER DELETE ON jobs
        REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION count_jobs();
    `);
  },
};
