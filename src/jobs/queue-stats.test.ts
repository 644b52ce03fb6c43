import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { silentLogger } from "../platform/index.ts";
import { insertJobs } from "./enqueue.ts";
import { fileJobs } from "./filing.ts";
import { foldCounts } from "./job-counts.ts";
import { createLedgerKeeper } from "./ledger-keeper.ts";
import { shownCounts } from "./queue-counts.ts";
import { queueStats } from "./queue-stats.ts";
import type { QueueName } from "./types.ts";

let database: TestDatabase;
const [ours, theirs] = [randomUUID(), randomUUID()];
beforeAll(async () => {
  database = await createTestDatabase({ max: 20 });
});
afterAll(() => database.drop());

async function enqueue(queue: QueueName, workspaceId: string, count: number, runAt?: Date) {
  const jobs = Array.from({ length: count }, (_, n) => ({
    queue,
    lane: `${randomUUID()}/${n}`,
    workspaceId,
    kind: "test",
    runAt,
  }));
  return (await insertJobs(database.db, jobs)).map(({ id }) => id);
}

const statsOf = async (name: QueueName, workspaceId?: string) => {
  const stats = (await queueStats(database.db, workspaceId)).find((queue) => queue.name === name);
  if (stats === undefined) throw new Error(`no queue ${name}`);
  return stats;
};

const LATER = new Date(Date.now() + 3_600_000);

describe("the figures of a queue", () => {
  test("counts are exact at any moment, filed and folded or not, whoever writes meanwhile", async () => {
    const { db } = database;
    const ids = (await Promise.all([1, 2, 3, 4].map(() => enqueue("ingest", ours, 25)))).flat();
    await enqueue("ingest", theirs, 5);
    await enqueue("ingest", ours, 7, LATER);
    const expected = { available: 100, scheduled: 7, completed: 0, running: 0 };
    expect((await statsOf("ingest", ours)).counts).toMatchObject(expected);
    expect((await statsOf("ingest")).counts).toMatchObject({ ...expected, available: 105 });
    // Half of them have waited long enough to be filed.
    await db.query(
      "UPDATE jobs SET created_at = created_at - interval '1 min' WHERE id % 2 = 0 AND run_at <= now()",
    );
    expect(await fileJobs(db)).toBeGreaterThan(40);
    expect((await statsOf("ingest", ours)).counts).toMatchObject(expected);
    // Three processes file and fold while jobs are completed, cancelled and deleted.
    await Promise.all([
      ...ids.slice(0, 60).map((id) =>
        db.query(
          `UPDATE jobs SET state = 'completed', started_at = now(), finished_at = now(), run_ms = 2,
               filed = false WHERE id = $1`,
          [id],
        ),
      ),
      ...ids.slice(60, 70).map((id) => db.query("DELETE FROM jobs WHERE id = $1", [id])),
      ...[1, 2, 3].flatMap(() => [foldCounts(db), fileJobs(db)]),
    ]);
    const after = { available: 30, scheduled: 7, completed: 60, running: 0 };
    expect((await statsOf("ingest", ours)).counts).toMatchObject(after);
    await fileJobs(db);
    await foldCounts(db);
    expect(await db.query("SELECT FROM job_count_changes")).toEqual([]);
    expect(await db.query("SELECT FROM jobs WHERE NOT filed AND state = 'completed'")).toEqual([]);
    expect((await statsOf("ingest", ours)).counts).toMatchObject(after);
    expect((await statsOf("ingest", theirs)).counts).toMatchObject({ available: 5, completed: 0 });
  });

  test("the rate is of the last minute, filed or not; the latencies of what was completed in it", async () => {
    const { db } = database;
    const ids = await enqueue("delivery", ours, 120);
    await db.query(
      `UPDATE jobs SET state = 'completed', run_ms = 40, finished_at = now(),
         started_at = run_at + interval '250 ms' WHERE id = ANY ($1::bigint[])`,
      [ids],
    );
    const fresh = await statsOf("delivery", ours);
    expect(fresh.perSecond).toBe(2);
    expect(fresh.runMs).toEqual({ p50: 40, p95: 40, p99: 40 });
    expect(fresh.waitMs).toEqual({ p50: 250, p95: 250, p99: 250 });
    await createLedgerKeeper({ db, log: silentLogger }).runOnce();
    expect((await statsOf("delivery", ours)).perSecond).toBe(2);
    expect(await statsOf("delivery", theirs)).toMatchObject({
      perSecond: 0,
      runMs: { p50: null, p95: null, p99: null },
    });
    await db.query("UPDATE job_rates SET slice = slice - interval '2 min'");
    expect((await statsOf("delivery", ours)).perSecond).toBe(0);
  });

  test.each([
    ["waits to run at once", "state = 'available', created_at = now() - interval '3 min'"],
    [
      "was enqueued for a time that has come",
      "state = 'available', created_at = now() - interval '5 min'",
    ],
    ["waited for its retry, which is due", "state = 'retryable'"],
    ["runs", "state = 'running'"],
  ])(
    "the oldest that %s tells the age of the queue, past all that waits for later",
    async (_name, set) => {
      const { db } = database;
      const queue = "backfill";
      await db.query("DELETE FROM jobs WHERE queue = $1", [queue]);
      await enqueue(queue, ours, 30, LATER);
      expect((await statsOf(queue, ours)).oldestWaitingMs).toBeNull();
      const [id] = await enqueue(queue, ours, 2);
      await db.query(`UPDATE jobs SET run_at = now() - interval '3 min', ${set} WHERE id = $1`, [
        id,
      ]);
      for (const workspaceId of [ours, undefined, ours, undefined]) {
        const { oldestWaitingMs } = await statsOf(queue, workspaceId);
        expect(oldestWaitingMs).toBeGreaterThanOrEqual(180_000);
        expect(oldestWaitingMs).toBeLessThan(240_000);
        // The next two find it filed.
        if (workspaceId === undefined) await fileJobs(db);
      }
      expect((await statsOf(queue, theirs)).oldestWaitingMs).toBeNull();
    },
  );

  test("what is due of what was enqueued for later is available, also beyond what is counted", () => {
    const kept = {
      available: 10,
      scheduled: 200_000,
      running: 0,
      retryable: 0,
      completed: 0,
      discarded: 0,
      cancelled: 0,
    };
    const shown = (later: number, due: number) => {
      const { available, scheduled } = shownCounts(kept, { later, due });
      return { available, scheduled };
    };
    expect(shown(300, 50_000)).toEqual({ available: 199_710, scheduled: 300 });
    expect(shown(50_000, 4)).toEqual({ available: 14, scheduled: 199_996 });
    expect(shown(50_000, 50_000)).toEqual({ available: 50_010, scheduled: 150_000 });
  });
});
