import type { Migration } from "../src/platform/migration.ts";

/**
 * The ledger and its lanes. `jobs` has its workspace first in its key for a second reason than
 * tenancy: an index that yields bare `id` order would tempt the planner, on a lane it believes to
 * be common, to walk every finished job in search of the live ones.
 */
export const migration: Migration = {
  name: "0002_jobs",
  async up(knex) {
    await knex.raw(`
      CREATE SEQUENCE job_ids;
      CREATE SEQUENCE lease_epochs;
      CREATE SEQUENCE job_begins;

      -- One row a lane: the lock, the lease and the time it has something to do.
      CREATE TABLE lanes (
        queue        text        NOT NULL,
        lane         text        NOT NULL CHECK (lane <> '' AND strpos(lane, ':') = 0),
        workspace_id uuid        NOT NULL,
        seq          bigint      NOT NULL DEFAULT 0,
        due_at       timestamptz,
        -- seq of the insert that made the lane due: that one sends the wake.
        due_seq      bigint      NOT NULL DEFAULT 0,
        -- seq of the last insert that sent an urgent wake, which is on its way, or was taken, if it
        -- is not below due_seq.
        urgent_seq   bigint      NOT NULL DEFAULT -1,
        -- seq of the last change of jobs that were there already, by a person or of their key: what a
        -- drain remembers of the lane may not be so any more.
        changed_seq  bigint      NOT NULL DEFAULT 0,
        owner        uuid,
        epoch        bigint      NOT NULL DEFAULT 0,
        lease_until  timestamptz,
        PRIMARY KEY (queue, lane),
        CHECK ((owner IS NULL) = (lease_until IS NULL))
      ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
      -- The sweep, which hops from workspace to workspace.
      CREATE INDEX lanes_due ON lanes (queue, workspace_id, due_at) WHERE due_at IS NOT NULL;

      CREATE TABLE jobs (
        workspace_id uuid        NOT NULL,
        id           bigint      NOT NULL,
        queue        text        NOT NULL,
        lane         text        NOT NULL,
        kind         text        NOT NULL,
        state        text        NOT NULL DEFAULT 'available' CHECK (
          state IN ('available', 'running', 'retryable', 'completed', 'discarded', 'cancelled')),
        ordering_key text,
        priority     smallint    NOT NULL CHECK (priority BETWEEN 0 AND 9),
        payload      jsonb       NOT NULL,
        run_at       timestamptz NOT NULL,
        attempts     smallint    NOT NULL DEFAULT 0,
        max_attempts smallint    NOT NULL CHECK (max_attempts > 0),
        deaths       smallint    NOT NULL DEFAULT 0,
        cause_id     bigint,
        worker       text,
        -- Drawn each time a worker notes that it has the job in hand, and never used again: by it an
        -- outcome finds its own attempt, since attempts are counted anew when a person retries.
        begun        bigint,
        started_at   timestamptz,
        finished_at  timestamptz,
        run_ms       integer,
        error_class  text,
        error        text,
        created_at   timestamptz NOT NULL,
        PRIMARY KEY (workspace_id, id)
      ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

      -- The claim: a lane's unfinished jobs, in order.
      CREATE INDEX jobs_live ON jobs (queue, lane, id)
        WHERE state IN ('available', 'running', 'retryable');
      -- Queues ordered per key (src/jobs/key-claim.ts, docs/decisions/0022). What came to be run at once,
      -- by its urgency: what a drain reads its candidates from, without the rows themselves.
      CREATE INDEX jobs_at_once ON jobs (queue, lane, priority, id) INCLUDE (ordering_key)
        WHERE state = 'available' AND run_at <= created_at AND ordering_key IS NOT NULL;
      -- What holds its key whatever the time: its head, and the most urgent of it.
      CREATE INDEX jobs_in_key ON jobs (queue, lane, ordering_key, id)
        WHERE (state IN ('running', 'retryable') OR (state = 'available' AND run_at <= created_at))
          AND ordering_key IS NOT NULL;
      CREATE INDEX jobs_in_key_priority ON jobs (queue, lane, ordering_key, priority, id)
        WHERE (state IN ('running', 'retryable') OR (state = 'available' AND run_at <= created_at))
          AND ordering_key IS NOT NULL;
      CREATE INDEX jobs_running ON jobs (queue, lane, id)
        WHERE state = 'running' AND ordering_key IS NOT NULL;
      -- What waits for a time of its own, in every queue: a lane's next time is read here, and
      -- nothing is read of those whose time has not come. "greatest" keeps the indexes of 0005, which
      -- know no lane, from these statements, and these from theirs: they say run_at > created_at.
      CREATE INDEX jobs_timed ON jobs (queue, lane, priority, run_at, id)
        WHERE state = 'retryable'
          OR (state = 'available' AND greatest(run_at, created_at) > created_at);
      -- Of a key, what was enqueued for a later time, and the critical among it.
      CREATE INDEX jobs_scheduled_in_key ON jobs (queue, lane, ordering_key, run_at, id)
        WHERE state = 'available' AND greatest(run_at, created_at) > created_at
          AND ordering_key IS NOT NULL;
      CREATE INDEX jobs_critical_in_key ON jobs (queue, lane, ordering_key, run_at, id)
        WHERE state = 'available' AND greatest(run_at, created_at) > created_at
          AND ordering_key IS NOT NULL AND priority = 0;

      -- The bytes a job was made from (ingest: the raw update, which jsonb might refuse).
      CREATE TABLE job_bodies (
        workspace_id uuid        NOT NULL,
        job_id       bigint      NOT NULL,
        body         bytea       NOT NULL,
        created_at   timestamptz NOT NULL,
        PRIMARY KEY (workspace_id, job_id)
      );

      -- Idempotent enqueue. Kept apart from jobs, because a key's life is not its job's.
      CREATE TABLE job_keys (
        queue      text        NOT NULL,
        key        text        NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (queue, key)
      );
      CREATE INDEX job_keys_created ON job_keys (created_at);

      -- What is known of workers that did not end by themselves, beyond that they are gone.
      CREATE TABLE worker_deaths (
        worker text        PRIMARY KEY,
        reason text        NOT NULL,
        at     timestamptz NOT NULL DEFAULT now()
      );

      -- Failed attempts only: a job that succeeds at once costs no second row.
      CREATE TABLE job_attempts (
        workspace_id uuid        NOT NULL,
        job_id       bigint      NOT NULL,
        id           bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
        attempt      smallint    NOT NULL,
        worker       text,
        started_at   timestamptz,
        finished_at  timestamptz NOT NULL DEFAULT now(),
        run_ms       integer,
        outcome      text        NOT NULL,
        error_class  text,
        error        text,
        PRIMARY KEY (workspace_id, job_id, id)
      );
      CREATE INDEX job_attempts_finished ON job_attempts (finished_at);
    `);
  },
};
