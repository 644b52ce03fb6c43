import type pg from "pg";

/**
 * Postgres's clock in the test's hand. The engine's SQL says `now()` and `clock_timestamp()` without
 * a schema; a schema of the test's that stands before `pg_catalog` in the search path answers, so
 * the statements under test are the very text that runs in production, and data never has to be
 * moved to stand for time.
 *
 * `clock_timestamp()` reads a sequence: sequences ignore snapshots, so a statement that waited for a
 * lock sees the time at which it goes on. `now()` is the time at which the statement's transaction
 * began, as in Postgres: whoever sends a statement outside a transaction, or a BEGIN, sets it first
 * (`SET_NOW`). Column defaults keep the real clock; nothing decides by them.
 */
const INSTALL = `
CREATE SCHEMA model;
CREATE SEQUENCE model.clock_ms MINVALUE 0;
CREATE FUNCTION model.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
  'SELECT pg_catalog.to_timestamp(last_value / 1000.0) FROM model.clock_ms';
CREATE FUNCTION model.now() RETURNS timestamptz LANGUAGE sql STABLE AS
  $$ SELECT pg_catalog.current_setting('model.now')::timestamptz $$;
DO $$ BEGIN
  EXECUTE pg_catalog.format('ALTER DATABASE %I SET search_path = model, public, pg_catalog',
    pg_catalog.current_database());
  -- Deadlocks, should there be any, are found at once: a schedule lasts a fraction of a second.
  EXECUTE pg_catalog.format('ALTER DATABASE %I SET deadlock_timeout = 20', pg_catalog.current_database());
  -- Most of the time of a schedule would be planning.
  EXECUTE pg_catalog.format('ALTER DATABASE %I SET plan_cache_mode = force_generic_plan', pg_catalog.current_database());
  EXECUTE pg_catalog.format('ALTER DATABASE %I SET jit = off', pg_catalog.current_database());
END $$`;

export const SET_NOW = "SELECT set_config('model.now', clock_timestamp()::text, false)";

export class VirtualClock {
  private readonly control: pg.Client;
  private atMs = 0;
  /** How often it has been moved. */
  moves = 0;

  constructor(control: pg.Client) {
    this.control = control;
  }

  /** Takes the clock over for all connections to this database that are opened afterwards. */
  static install(control: pg.Client): Promise<unknown> {
    return control.query(INSTALL);
  }

  /** Ms since the epoch; may go back. */
  async set(atMs: number): Promise<void> {
    this.atMs = atMs;
    this.moves++;
    await this.control.query("SELECT setval('model.clock_ms', $1)", [atMs]);
  }

  move(byMs: number): Promise<void> {
    return this.set(this.atMs + byMs);
  }
}
