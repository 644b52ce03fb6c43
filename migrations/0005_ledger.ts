import type { Migration } from "../src/platform/migration.ts";

/**
 * What a job is about, beside the owner of its lane: the end of the lane's name, which is a chat's id
 * in `…/c-100123` and `…/b<business connection>/123`, or else the job's key (src/jobs/subject.ts).
 */
const SUBJECT =
  "coalesce(nullif(ltrim(split_part(substr(lane, 38), '/', -1), 'c'), ''), ordering_key)";

/**
 * The ledger as people look at it and steer it: search, counts, paused queues.
 *
 * What people search by is not written where jobs come and go: a job is filed, a moment later and
 * with a thousand others, once it is over or has waited for a while, and only what is filed stands
 * in those indexes and in the counts (docs/decisions/0010). What is not is little, and is looked at.
 */
export const migration: Migration = {
  name: "0005_ledger",
  async up(knex) {
    await knex.raw(`
      -- Queue and standing as one small number (src/jobs/shelf.ts): what every search is ordered by
      -- first. The standing is the state, with what was enqueued for a later time told apart.
      CREATE FUNCTION shelf_of(queue text, state text, run_at timestamptz, created_at timestamptz)
      RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT (CASE queue WHEN 'ingest' THEN 0 WHEN 'outbound' THEN 8 WHEN 'evidence' THEN 16
            WHEN 'backfill' THEN 24 WHEN 'schedule' THEN 32 WHEN 'delivery' THEN 40 END
          + CASE state WHEN 'available' THEN CASE WHEN run_at > created_at THEN 1 ELSE 0 END
            WHEN 'running' THEN 2 WHEN 'retryable' THEN 3 WHEN 'completed' THEN 4
            WHEN 'discarded' THEN 5 WHEN 'cancelled' THEN 6 END)::smallint
      $$;

      -- Stands in the indexes of searches, under this shelf, and in job_counts. No generated column:
      -- Postgres would read its expression anew in every statement that writes a job.
      ALTER TABLE jobs ADD COLUMN filed boolean NOT NULL DEFAULT false, ADD COLUMN shelf smallint;

      -- What is yet to be filed, and what a search looks at beside its index.
      CREATE INDEX jobs_unfiled ON jobs (id) WHERE NOT filed;

      -- What people search by, newest first. Shelves are few and can be counted up, so a search
      -- that names none is a handful of probes, and one that does never reads what it must drop.
      -- "+ 0" keeps the most general index from the searches that have a better one: a planner that
      -- takes a bot or a chat for a common one would walk all jobs in search of its few.
      CREATE INDEX jobs_by_shelf ON jobs ((shelf + 0), id) WHERE filed;
      CREATE INDEX jobs_by_workspace ON jobs (workspace_id, shelf, id) WHERE filed;
      -- The id of what owns a lane begins its name: of a connector, an account, an endpoint.
      CREATE INDEX jobs_by_owner ON jobs ("left"(lane, 36) COLLATE "C", shelf, id) WHERE filed;
      CREATE INDEX jobs_by_subject ON jobs ((${SUBJECT}) COLLATE "C", shelf, id, workspace_id)
        WHERE filed;
      -- The first eight shelves are those of the queue that takes updates.
      CREATE INDEX jobs_by_update ON jobs ((payload->>'updateId') COLLATE "C", id)
        WHERE filed AND shelf < 8;
      -- Only what failed pays for these. (|| '' is to the class what + 0 is to the shelf.)
      CREATE INDEX jobs_by_error_class ON jobs ((error_class || ''), shelf, id)
        WHERE filed AND error_class IS NOT NULL;
      CREATE INDEX jobs_by_error_class_of_workspace ON jobs (workspace_id, error_class, shelf, id)
        WHERE filed AND error_class IS NOT NULL;
      CREATE INDEX jobs_by_error_class_of_owner
        ON jobs ("left"(lane, 36) COLLATE "C", error_class, shelf, id)
        WHERE filed AND error_class IS NOT NULL;
      CREATE INDEX jobs_with_error ON jobs (shelf, id) WHERE filed AND error IS NOT NULL;
      CREATE INDEX jobs_with_error_by_workspace ON jobs (workspace_id, shelf, id)
        WHERE filed AND error IS NOT NULL;
      CREATE INDEX jobs_by_error_words ON jobs USING gin (to_tsvector('simple', error))
        WHERE filed AND error IS NOT NULL;
      -- Only what was enqueued for a later time, or moved to now by hand, pays for these.
      CREATE INDEX jobs_by_time ON jobs (queue, run_at)
        WHERE state = 'available' AND run_at > created_at;
      CREATE INDEX jobs_by_workspace_time ON jobs (workspace_id, queue, run_at)
        WHERE state = 'available' AND run_at > created_at;

      -- Queues that an operator has stopped. Here, because an emptied Redis must not start them.
      CREATE TABLE paused_queues (
        queue     text        PRIMARY KEY,
        paused_at timestamptz NOT NULL DEFAULT now()
      );

      -- How many filed jobs are in which state. Who files adds to the counts; who changes or drops
      -- a filed job appends that, so no two of them wait for one counter, and a service folds it
      -- into the counts (src/jobs/job-counts.ts). The truth at any moment is the sum of both, and of
      -- what is not filed.
      CREATE TABLE job_counts (
        workspace_id uuid     NOT NULL,
        shelf        smallint NOT NULL,
        count        bigint   NOT NULL,
        PRIMARY KEY (workspace_id, shelf)
      ) WITH (fillfactor = 50);
      CREATE TABLE job_count_changes (
        workspace_id uuid     NOT NULL,
        shelf        smallint NOT NULL,
        change       integer  NOT NULL
      ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
      -- Completions of filed jobs by slices of five seconds; the last minutes only.
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

      -- When what is done now and then was last begun, in whichever process.
      CREATE TABLE turns (
        name     text        PRIMARY KEY,
        taken_at timestamptz NOT NULL
      );

      -- Whoever changes a job says filed = false, which spares it the indexes until it is filed
      -- again, under the shelf it then belongs to.
      CREATE FUNCTION discount_job() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.filed THEN
          RAISE EXCEPTION 'job % was changed and says still that it is filed', OLD.id;
        END IF;
        INSERT INTO job_count_changes VALUES (OLD.workspace_id, OLD.shelf, -1);
        RETURN NULL;
      END $$;
      -- AFTER: a trigger before each row would lock every row that is changed, filed or not.
      CREATE TRIGGER jobs_discounted_by_change AFTER UPDATE ON jobs
        FOR EACH ROW WHEN (OLD.filed) EXECUTE FUNCTION discount_job();

      CREATE FUNCTION discount_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        INSERT INTO job_count_changes
        SELECT workspace_id, shelf, -count(*) FROM gone WHERE filed GROUP BY 1, 2;
        RETURN NULL;
      END $$;
      CREATE TRIGGER jobs_discounted AFTER DELETE ON jobs
        REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION discount_jobs();
    `);
  },
};
