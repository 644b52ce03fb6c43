import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { drainOnce } from "../../test/support/drain-once.ts";
import { insertJobs } from "./enqueue.ts";
import { fileJobs } from "./filing.ts";
import { foldCounts } from "./job-counts.ts";
import { Ledger } from "./ledger.ts";
import { queueCounts } from "./queue-counts.ts";

let database: TestDatabase;
const workspaceId = randomUUID();
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const job = (lane = `${randomUUID()}/c1`) => ({
  queue: "ingest" as const,
  lane,
  workspaceId,
  kind: "test",
});
const filed = async () =>
  (await database.db.query<{ id: string }>("SELECT id FROM jobs WHERE filed ORDER BY id")).map(
    ({ id }) => id,
  );
const waitedLong = () =>
  database.db.query("UPDATE jobs SET created_at = now() - interval '1 min', run_at = now()");

describe("filing", () => {
  test("what is over is filed at once, what waits after a while, each once", async () => {
    const { db } = database;
    const done = [job(), job()];
    const over = await insertJobs(db, done);
    await drainOnce(db, { mode: "transactional", run: async () => {} }, done);
    const [waiting] = await insertJobs(db, [job()]);
    expect(await fileJobs(db)).toBe(2);
    expect(await filed()).toEqual(over.map(({ id }) => id));
    expect(await fileJobs(db)).toBe(0);
    await db.query("UPDATE jobs SET created_at = created_at - interval '1 min' WHERE id = $1", [
      waiting?.id,
    ]);
    expect(await fileJobs(db)).toBe(1);
  });

  test("whoever works on a job takes it out of the indexes that people search by", async () => {
    const { db } = database;
    const jobs = [job(), job(), job()];
    await insertJobs(db, jobs);
    await waitedLong();
    await fileJobs(db);
    expect(await filed()).toHaveLength(3);
    await drainOnce(db, { mode: "transactional", run: async () => {} }, jobs.slice(0, 1));
    expect(await filed()).toHaveLength(2);
    const ledger = new Ledger({ db, wake: () => {}, hooks: {} });
    await ledger.cancel({ lane: jobs[1]?.lane });
    expect(await filed()).toHaveLength(1);
    await fileJobs(db);
    await foldCounts(db);
    expect(await filed()).toHaveLength(3);
    expect((await queueCounts(db, workspaceId)).ingest).toMatchObject({
      available: 1,
      completed: 1,
      cancelled: 1,
    });
  });

  test("a thousand and more go in batches; what a worker has in hand is passed over, not waited for", async () => {
    const { db } = database;
    const jobs = Array.from({ length: 2_100 }, () => job());
    const [first] = await insertJobs(db, jobs);
    await waitedLong();
    await db.transaction(async (worker) => {
      await worker.query("SELECT FROM jobs WHERE id = $1 FOR UPDATE", [first?.id]);
      expect(await fileJobs(db)).toBe(2_099);
    });
    expect(await fileJobs(db)).toBe(1);
    expect((await queueCounts(db)).ingest.available).toBe(2_100);
  });

  test("several processes file at once: each job is counted once", async () => {
    const { db } = database;
    await insertJobs(
      db,
      Array.from({ length: 500 }, () => job()),
    );
    await waitedLong();
    await Promise.all([fileJobs(db), fileJobs(db), fileJobs(db)]);
    await fileJobs(db);
    const [row] = await db.query<{ count: string }>("SELECT sum(count) AS count FROM job_counts");
    expect(row?.count).toBe("500");
  });
});
