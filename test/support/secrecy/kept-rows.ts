import type { Database } from "../../../src/platform/index.ts";
import type { Place } from "./search.ts";

/**
 * Every row that is ever written to any table, kept for a search: what is deleted or overwritten a
 * moment later was in the database all the same, and in its write-ahead log.
 */
const KEEP = `
  CREATE SCHEMA kept;
  CREATE TABLE kept.rows (of_table text NOT NULL, row_text text NOT NULL);
  CREATE FUNCTION kept.keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    INSERT INTO kept.rows VALUES (TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, NEW::text);
    RETURN NULL;
  END $$;
  DO $$ DECLARE t record; BEGIN
    FOR t IN SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'kept')
    LOOP
      EXECUTE format('CREATE TRIGGER keep AFTER INSERT OR UPDATE ON %s
        FOR EACH ROW EXECUTE FUNCTION kept.keep()', t.name);
    END LOOP;
  END $$`;

/** From now on. For a superuser: whoever writes must not notice. */
export async function keepRows(db: Database): Promise<void> {
  await db.query(KEEP);
}

const TABLES = `
  SELECT n.nspname || '.' || c.relname AS name, c.oid::regclass AS sql_name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'kept')`;

/**
 * Two places for each table of every schema: what is in it, and what ever was. There is no pg_dump
 * among the embedded binaries, so rows are read as text, which is what it would write (bytea in
 * hexadecimal). `may`: by the name of a table; `mightOnce`: what has been there beside that.
 */
export async function dumpTables(
  db: Database,
  may: Record<string, Place["may"]>,
  mightOnce: Record<string, Place["may"]>,
): Promise<Place[]> {
  const textOf = async (sql: string, ...params: string[]) => {
    const rows = await db.query<{ text: string }>(sql, params);
    return rows.map(({ text }) => text).join("\n");
  };
  const places: Place[] = [];
  for (const { name, sql_name } of await db.query<{ name: string; sql_name: string }>(TABLES)) {
    const now = await textOf(`SELECT t::text AS text FROM ${sql_name} t`);
    const ever = await textOf("SELECT row_text AS text FROM kept.rows WHERE of_table = $1", name);
    const mightBe = mightOnce[name] ? [...(may[name] ?? []), ...mightOnce[name]] : may[name];
    places.push({ name: `Postgres: ${name}`, text: now, may: may[name] });
    places.push({ name: `Postgres, at some time: ${name}`, text: ever, may: mightBe });
  }
  return places;
}
