import type pg from "pg";

/**
 * What really happened, as Postgres saw it: triggers write one log of arrivals, leases and job
 * states. A row of the log rolls back with what it is about, so the log holds committed facts only;
 * and since writers in a lane hold the lane's row until they commit, its order is theirs.
 */
const INSTALL = `
CREATE TABLE model.log (
  n     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tx    bigint NOT NULL DEFAULT pg_catalog.pg_current_xact_id()::text::bigint,
  kind  text   NOT NULL,
  lane  text   NOT NULL,
  job   bigint,
  fact  jsonb  NOT NULL
);

-- seq is read after the insert's own statement: the order in which inserts hold the lane's row.
CREATE FUNCTION model.note_arrival() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO model.log (kind, lane, job, fact)
  SELECT 'arrival', NEW.lane, NEW.id, jsonb_build_object('seq', l.seq, 'plan', NEW.payload)
  FROM lanes l WHERE l.queue = NEW.queue AND l.lane = NEW.lane;
  RETURN NULL;
END $$;
CREATE TRIGGER note_arrival AFTER INSERT ON jobs
  FOR EACH ROW EXECUTE FUNCTION model.note_arrival();

CREATE FUNCTION model.note_state() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO model.log (kind, lane, job, fact)
  VALUES ('state', NEW.lane, NEW.id, jsonb_build_object('from', OLD.state, 'to', NEW.state,
    'attempts', NEW.attempts, 'worker', NEW.worker, 'errorClass', NEW.error_class));
  RETURN NULL;
END $$;
CREATE TRIGGER note_state AFTER UPDATE ON jobs FOR EACH ROW
  WHEN (OLD.state <> NEW.state OR OLD.attempts <> NEW.attempts OR OLD.worker IS DISTINCT FROM NEW.worker)
  EXECUTE FUNCTION model.note_state();

-- Who hands a lane back holds its row, so no insert can come between what is counted here and that.
CREATE FUNCTION model.note_lease() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO model.log (kind, lane, fact)
  VALUES ('lease', NEW.lane, jsonb_build_object('from', OLD.owner, 'to', NEW.owner,
    'leftMs', extract(epoch FROM OLD.lease_until - now()) * 1000,
    'forgotten', CASE WHEN NEW.owner IS NULL AND NEW.due_at IS NULL THEN (
      SELECT count(*) FROM jobs j WHERE j.queue = NEW.queue AND j.lane = NEW.lane
        AND j.state IN ('available', 'running', 'retryable')) ELSE 0 END));
  RETURN NULL;
END $$;
CREATE TRIGGER note_lease AFTER UPDATE ON lanes FOR EACH ROW
  WHEN (OLD.owner IS DISTINCT FROM NEW.owner OR OLD.epoch <> NEW.epoch)
  EXECUTE FUNCTION model.note_lease();

-- What an outside worker keeps of its attempts, as src/outbound does.
CREATE TABLE model.attempts (
  job bigint, attempt int, deadline_ms double precision NOT NULL, PRIMARY KEY (job, attempt)
);`;

/** Tables that a schedule fills. */
const TABLES = "jobs lanes job_bodies job_keys job_attempts model.log model.attempts".split(" ");
const CLEAN = TABLES.map((table) => `DELETE FROM ${table}`).join("; ");

export type State = "available" | "running" | "retryable" | "completed" | "discarded" | "cancelled";

interface Entry {
  n: number;
  /** The transaction. */
  tx: number;
  lane: string;
}

/** A job was inserted. */
export interface Arrival extends Entry {
  job: string;
  seq: number;
  /** Its payload, which says what its handler will do. */
  plan: {
    value: number;
    does: string;
    times?: number;
    key?: string;
    priority?: number;
    isScheduled?: boolean;
  };
}

/** A job's row changed. */
export interface StateChange extends Entry {
  job: string;
  from: State;
  to: State;
  attempts: number;
  worker: string | null;
  errorClass: string | null;
}

/** A lane's holder changed. */
export interface LeaseChange extends Entry {
  from: string | null;
  to: string | null;
  /** What was left of the lease that ended; null where there was none. */
  leftMs: number | null;
  /** Unfinished jobs of a lane that was handed back as one with nothing to do. */
  forgotten: number;
}

/** An effect of a job: a row of its transaction, or an outside call. */
export interface Effect extends Entry {
  job: string;
  worker: string;
  /** The attempt that called; 0 for rows. */
  attempt: number;
  /** An outside call that the other side refused has none. */
  tookPlace: boolean;
}

export interface FinalJob {
  id: string;
  lane: string;
  state: State;
  errorClass: string | null;
  deaths: number;
  plan: Arrival["plan"];
}

/** Everything a schedule left behind. */
export interface History {
  arrivals: Arrival[];
  states: StateChange[];
  leases: LeaseChange[];
  effects: Effect[];
  jobs: FinalJob[];
}

/** The record as lines, for the report of a failure. */
export function story({ arrivals, states, leases, effects, jobs }: History): string[] {
  const entries = [...arrivals, ...states, ...leases, ...effects].sort((a, b) => a.n - b.n);
  return [...entries, ...jobs].map((entry) => JSON.stringify(entry));
}

export const NOTE_EFFECT = `INSERT INTO model.log (kind, lane, job, fact)
  SELECT 'effect', lane, job, jsonb_build_object('worker', $3::text, 'attempt', $4::int, 'tookPlace', $5::bool)
  FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS e(lane, job, n) ORDER BY n`;

export class Observations {
  private readonly control: pg.Client;

  constructor(control: pg.Client) {
    this.control = control;
  }

  static install(control: pg.Client): Promise<unknown> {
    return control.query(INSTALL);
  }

  clean(): Promise<unknown> {
    return this.control.query(CLEAN);
  }

  async read(): Promise<History> {
    const { rows } = await this.control.query<{ kind: string; entry: unknown }>(
      `SELECT kind, fact || jsonb_build_object('n', n, 'tx', tx, 'lane', lane, 'job', job::text) AS entry
       FROM model.log ORDER BY n`,
    );
    const of = <Kind>(kind: string) =>
      rows.filter((row) => row.kind === kind).map((row) => row.entry as Kind);
    const { rows: jobs } = await this.control.query<FinalJob>(
      `SELECT id, lane, state, error_class AS "errorClass", deaths, payload AS plan
       FROM jobs ORDER BY id`,
    );
    return {
      arrivals: of<Arrival>("arrival"),
      states: of<StateChange>("state"),
      leases: of<LeaseChange>("lease"),
      effects: of<Effect>("effect"),
      jobs,
    };
  }

  /** Jobs that are not finished. */
  async unfinished(): Promise<number> {
    const { rows } = await this.control.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM jobs WHERE state IN ('available', 'running', 'retryable')`,
    );
    return rows[0]?.count ?? 0;
  }

  /** An outside call: noted at the moment it takes place, whatever becomes of its process. */
  async noteCall(call: Pick<Effect, "lane" | "job" | "worker" | "attempt" | "tookPlace">) {
    const { lane, job, worker, attempt, tookPlace } = call;
    await this.control.query(NOTE_EFFECT, [[lane], [job], worker, attempt, tookPlace]);
  }
}
