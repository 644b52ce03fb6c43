import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { releaseLeases } from "../src/jobs/lease.ts";
import { takeLeases } from "../src/jobs/take-leases.ts";
import { type Database, openDatabase } from "../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";
import { rowsReadSoFar } from "./support/rows-read.ts";

/**
 * A lease with its first claim reads the lanes it names and their first jobs, whatever else waits and
 * whatever the planner knows: it holds those lanes' rows while it reads.
 */
const LANES = 20_000;
const JOBS_A_LANE = 5;
const NAMED = 30;
/** Index entries a lane: its row three times, its jobs and their bodies. */
const READS_A_LANE = 3 + 2 * JOBS_A_LANE;
const TABLES = ["lanes", "jobs", "job_bodies"];
const holder = { owner: randomUUID(), leaseMs: 5_000, claimLimit: 64 };
const names = Array.from({ length: NAMED }, (_, n) => `lane ${n * 600 + 7}`).sort();

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  const filler = openDatabase({ url: database.url, max: 1, as: "login" });
  for (const table of TABLES) {
    await filler.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`);
  }
  await filler.query(
    `INSERT INTO lanes (queue, lane, workspace_id, seq, due_at)
     SELECT 'ingest', 'lane ' || n, $1, 1, now() FROM generate_series(1, ${LANES}) n`,
    [holder.owner],
  );
  await filler.query(
    `INSERT INTO jobs (workspace_id, id, queue, lane, kind, state, priority, payload, run_at,
       max_attempts, created_at)
     SELECT $1, nextval('job_ids'), 'ingest', 'lane ' || n, 'test',
       CASE WHEN k < 4 THEN 'available' ELSE 'completed' END, 5, '{}', now(), 8, now()
     FROM generate_series(1, ${LANES}) n, generate_series(1, ${JOBS_A_LANE}) k`,
    [holder.owner],
  );
  await filler.query("INSERT INTO job_bodies SELECT workspace_id, id, 'x', now() FROM jobs");
  await filler.close();
});
afterAll(() => database.drop());

const rowsRead = () => rowsReadSoFar(database.db, TABLES);

/** Takes the named lanes with their first claims, and gives them back; answers what taking them read. */
async function readsOfTaking(db: Database): Promise<number> {
  const before = await rowsRead();
  const taken = [...(await takeLeases(db, "ingest", names, holder)).values()];
  await db.query("SELECT pg_stat_force_next_flush()");
  await db.query("SELECT 1");
  const reads = (await rowsRead()) - before;
  expect(taken.map(({ firstClaim }) => firstClaim?.jobs.length)).toEqual(names.map(() => 3));
  const released = await releaseLeases(
    db,
    taken.map(({ lease }) => ({ lease, seq: "1", dueInMs: "unchanged" })),
  );
  expect(released.size).toBe(NAMED);
  return reads;
}

describe.each([
  ["without statistics", async () => {}],
  ["with statistics", async () => void (await database.owner.query("ANALYZE"))],
])("%s", (_name, prepare) => {
  beforeAll(prepare);

  test.each(["force_generic_plan", "force_custom_plan"])(
    "a lease and its claim by %s",
    async (mode) => {
      const db = openDatabase({ url: database.url, max: 1 });
      await db.query(`SET plan_cache_mode = ${mode}`);
      const reads = await readsOfTaking(db);
      const enough = reads > NAMED && reads <= NAMED * READS_A_LANE;
      expect({ reads, enough }).toEqual({ reads, enough: true });
      await db.close();
    },
  );
});
