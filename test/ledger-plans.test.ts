import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type JobFilter, listJobs, queueStats } from "../src/jobs/index.ts";
import { countJobs, findJobs } from "../src/jobs/search.ts";
import { type Database, openDatabase } from "../src/platform/index.ts";
import { createTestDatabase, type TestDatabase } from "./support/database.ts";

/**
 * A page of the ledger reads what it shows, whatever else there is and whatever the planner knows:
 * without statistics, as after an import, and with them.
 */
const JOBS = 30_000;
/** The newest: what comes and goes while somebody searches. */
const UNFILED = 200;
const PAGE = 20;
/** Index and heap rows read for a page: a page of each shelf that has jobs, and some probes. */
const READS = 900 + 2 * UNFILED;
const BIG = "00000000-0000-4000-8000-000000000001";
const SMALL = "00000000-0000-4000-8000-000000000002";
const BIG_BOT = "10000000-0000-4000-8000-000000000001";
const SMALL_BOT = "10000000-0000-4000-8000-000000000002";
const NOBODY = "90000000-0000-4000-8000-000000000000";

let database: TestDatabase;
/** One connection: what it read is known when it says so. */
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  const filler = openDatabase({ url: database.url, max: 1, as: "login" });
  await filler.query("ALTER TABLE jobs SET (autovacuum_enabled = false)");
  await filler.query("ALTER TABLE lanes SET (autovacuum_enabled = false)");
  await filler.query(
    `INSERT INTO jobs (workspace_id, id, queue, lane, kind, state, filed, shelf, ordering_key,
       priority, payload, run_at, max_attempts, created_at, error_class, error)
     SELECT CASE WHEN n % 50 = 0 THEN $2::uuid ELSE $1::uuid END, nextval('job_ids'), queue,
       bot || CASE WHEN queue = 'ingest' THEN '/c' || chat ELSE '' END, 'test', state,
       n <= ${JOBS - UNFILED}, shelf_of(queue, state, at, at),
       CASE WHEN queue = 'outbound' THEN chat END, 5,
       CASE WHEN queue = 'ingest' THEN jsonb_build_object('updateId', n) ELSE '{}' END,
       at, 8, at, CASE WHEN failed THEN 'Timeout' END,
       CASE WHEN failed THEN 'it took too long' || CASE WHEN n = 1001 THEN ' zebra' ELSE '' END END
     FROM (
       SELECT *, state = 'discarded' AS failed FROM (
         SELECT n, CASE WHEN n % 50 = 0 THEN $4::text ELSE $3::text END AS bot,
           CASE WHEN n % 3 = 0 THEN 'outbound' ELSE 'ingest' END AS queue,
           (CASE WHEN n % 4 = 0 THEN 1 ELSE 1000 + n % 5000 END)::text AS chat,
           CASE WHEN n % 7 = 0 THEN 'discarded' WHEN n % 11 = 0 THEN 'available'
             ELSE 'completed' END AS state,
           now() - (${JOBS} - n) * interval '10 s' AS at
         FROM generate_series(1, ${JOBS}) n
       ) s
     ) t`,
    [BIG, SMALL, BIG_BOT, SMALL_BOT],
  );
  await filler.query(
    "INSERT INTO lanes (queue, lane, workspace_id) SELECT DISTINCT queue, lane, workspace_id FROM jobs",
  );
  await filler.query(
    "INSERT INTO job_counts SELECT workspace_id, shelf, count(*) FROM jobs WHERE filed GROUP BY 1, 2",
  );
  await filler.query("INSERT INTO job_clock SELECT created_at, id FROM jobs WHERE id % 20 = 0");
  // A session of its own: what it read is counted when it ends, not in the middle of a measurement.
  await filler.close();
  db = openDatabase({ url: database.url, max: 1 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

async function rowsRead(): Promise<number> {
  const [row] = await database.db.query<{ read: string }>(
    `SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname IN ('jobs', 'lanes'))
       + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname IN ('jobs', 'lanes'))
       AS read`,
  );
  return Number(row?.read);
}

async function readsOf(run: () => Promise<unknown>): Promise<number> {
  const before = await rowsRead();
  await run();
  await db.query("SELECT pg_stat_force_next_flush()");
  await db.query("SELECT 1");
  return (await rowsRead()) - before;
}

const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);
const SEARCHES: Record<string, JobFilter> = {
  all: {},
  "most of all, by workspace": { workspaceId: BIG },
  "few, by workspace": { workspaceId: SMALL },
  "none, by workspace": { workspaceId: NOBODY },
  "most, by state": { states: ["completed"] },
  "none, by state": { states: ["running"] },
  "none, by workspace and state": { workspaceId: BIG, states: ["cancelled"] },
  "none, by queue": { queue: "evidence" },
  "most, by bot": { connectorId: BIG_BOT },
  "few, by bot": { connectorId: SMALL_BOT },
  "none, by bot and state": { connectorId: BIG_BOT, states: ["retryable"] },
  "none, by another workspace's bot": { connectorId: BIG_BOT, workspaceId: SMALL },
  "many, by chat": { chatId: "1" },
  "few, by chat": { chatId: "1007" },
  "none, by chat": { chatId: "7" },
  "many, by chat and workspace": { chatId: "1", workspaceId: SMALL },
  "many, by lane": { lane: BIG_BOT },
  "many, by a chat's lane": { lane: `${BIG_BOT}/c1` },
  "one, by update": { updateId: "20003" },
  "many, by error class": { errorClass: "Timeout" },
  "none, by error class and bot": { errorClass: "Timeout", connectorId: NOBODY },
  "one, by words": { text: "zebra" },
  "none, by words": { text: "unicorn" },
  "an hour, by time": { createdFrom: daysAgo(2), createdTo: daysAgo(2 - 1 / 24) },
  "old ones, by time and bot": { createdTo: daysAgo(3), connectorId: BIG_BOT },
};

describe.each([
  ["without statistics", async () => {}],
  ["with statistics", async () => void (await database.owner.query("ANALYZE"))],
])("%s", (_name, prepare) => {
  beforeAll(prepare);

  test.each(Object.entries(SEARCHES))("a search for %s reads a page", async (_what, filter) => {
    const reads = await readsOf(() => listJobs(db, filter, { limit: PAGE }));
    expect({ reads, enough: reads < READS }).toEqual({ reads, enough: true });
  });

  const ofWorkspaces = Object.entries(SEARCHES).map(
    ([what, filter]) => [what, { workspaceId: SMALL, ...filter }] as const,
  );
  test.each(ofWorkspaces)("so does a workspace's call for %s", async (_what, filter) => {
    const own = db.asTenant(filter.workspaceId);
    const reads = await readsOf(() => listJobs(own, filter, { limit: PAGE }));
    expect({ reads, enough: reads < READS }).toEqual({ reads, enough: true });
  });

  test("words that are in thousands of errors cost the look at them, and a page", async () => {
    const filter = { text: "took too long" };
    const reads = await readsOf(() => listJobs(db, filter, { limit: PAGE }));
    expect({ reads, enough: reads < READS + 2 * 4_300 }).toEqual({ reads, enough: true });
  });

  test("the next batch of a change by hand is found as quickly", async () => {
    const window = { limit: PAGE, order: "oldest" as const, afterId: "15000" };
    const which = { connectorId: BIG_BOT, states: ["discarded" as const] };
    const reads = await readsOf(() => findJobs(db, which, window));
    expect({ reads, enough: reads < READS }).toEqual({ reads, enough: true });
  });

  test("counts by state read what is not filed; the figures of the queues, the newest thousand", async () => {
    const counting = await readsOf(() =>
      countJobs(db, { workspaceId: BIG, states: ["completed"] }),
    );
    expect({ counting, enough: counting <= 2 * UNFILED }).toEqual({ counting, enough: true });
    // Two queues have a past: a thousand of each, found in the index and read.
    const reads = await readsOf(() => queueStats(db));
    expect({ reads, enough: reads < 5_000 }).toEqual({ reads, enough: true });
  });
});
