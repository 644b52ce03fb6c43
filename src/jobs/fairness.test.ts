import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { EFFECTS_TABLE, type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { backends } from "../../test/support/requirements.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { NewJob, TransactionalHandler } from "./index.ts";

describe.each(backends)("tenants side by side on $name", (backend) => {
  let fixture: JobsFixture;
  beforeAll(async () => {
    fixture = await jobsFixture(backend);
    await fixture.database.owner.query(EFFECTS_TABLE);
  });
  afterAll(() => fixture.close());

  const job = (workspaceId: string, lane: string, value = 1): NewJob => ({
    queue: "ingest",
    lane,
    workspaceId,
    kind: "test",
    payload: { value },
  });

  /** Writes one effect a job; locks the row of `shared_rows` that a lane's name ends with, if any. */
  const handler: TransactionalHandler = {
    mode: "transactional",
    run: async (tx, lanes) => {
      const effects = lanes.flatMap(({ lane, jobs }) =>
        jobs.map(({ payload }) => ({ lane, value: Number(payload.value) })),
      );
      const names = effects.map((effect) => effect.lane);
      await tx.query(
        `INSERT INTO effects (lane, value)
         SELECT lane, value FROM unnest($1::text[], $2::int[]) WITH ORDINALITY AS e(lane, value, n)
         ORDER BY n`,
        [names, effects.map((effect) => effect.value)],
      );
      const rows = names.flatMap((lane) => /row-\d+$/.exec(lane)?.[0] ?? []);
      if (rows.length > 0) {
        await tx.query("UPDATE shared_rows SET uses = uses + 1 WHERE id = ANY ($1)", [rows]);
      }
    },
  };

  const effectsOf = (prefix: string) =>
    fixture.database.db.query<{ n: string; lane: string; value: number }>(
      "SELECT n, lane, value FROM effects WHERE lane LIKE $1 || '%' ORDER BY n",
      [prefix],
    );
  const countOf = async (prefix: string) => (await effectsOf(prefix)).length;

  test("a workspace's thousands of waiting lanes are not in front of another's one", async () => {
    const flooding = 4_000;
    const flood = randomUUID();
    const sender = fixture.engine();
    const worker = fixture.engine();
    // A process may have a thousand of one workspace in hand.
    for (let first = 0; first < flooding; first += 1_000) {
      const lanes = Array.from({ length: 1_000 }, (_, n) => `flood/${first + n}`);
      await Promise.all(lanes.map((lane) => sender.enqueue(job(flood, lane))));
    }
    await worker.startPool("ingest", handler, { slots: 8 });
    await waitFor(async () => (await countOf("flood/")) > 100, { what: "the flood to be drained" });
    const before = await countOf("flood/");
    expect(before).toBeLessThan(flooding / 2);
    await sender.enqueue(job(randomUUID(), "quiet/1"));
    await waitFor(async () => (await countOf("quiet/")) === 1, { what: "the quiet lane" });
    const [quiet] = await effectsOf("quiet/");
    const earlier = (await effectsOf("flood/")).filter(({ n }) => Number(n) < Number(quiet?.n));
    // In turn it goes after what is in hand; first in, first out it would be the very last.
    expect(earlier.length - before).toBeLessThan(flooding / 4);
    await waitFor(async () => (await countOf("flood/")) === flooding, {
      what: "the flood",
      timeoutMs: 40_000,
    });
    await worker.stop(2_000);
  });

  test("a row that somebody has locked holds the lane that needs it, and no other", async () => {
    const { db } = fixture.database;
    await fixture.database.owner.query(
      "CREATE TABLE shared_rows (id text PRIMARY KEY, uses int NOT NULL DEFAULT 0)",
    );
    await db.query("INSERT INTO shared_rows VALUES ('row-1')");
    const workspaceId = randomUUID();
    const worker = fixture.engine();
    const locker = await db.connect();
    try {
      await locker.query("BEGIN; SELECT FROM shared_rows FOR UPDATE");
      await worker.startPool("ingest", handler, { slots: 50 });
      const send = (lane: string, value: number) => worker.enqueue(job(workspaceId, lane, value));
      await send("locked/row-1", 1);
      await send("locked/row-1", 2);
      for (let round = 1; round <= 3; round++) {
        await Promise.all(Array.from({ length: 40 }, (_, n) => send(`free/${n}`, round)));
        await waitFor(async () => (await countOf("free/")) === 40 * round, {
          what: "the other lanes",
        });
      }
      expect(await countOf("locked/")).toBe(0);
      await locker.query("COMMIT");
      await waitFor(async () => (await countOf("locked/")) === 2, { what: "the lane, in the end" });
      expect((await effectsOf("locked/")).map(({ value }) => value)).toEqual([1, 2]);
      const jobs = await db.query(
        "SELECT state, attempts FROM jobs WHERE lane = 'locked/row-1' ORDER BY id",
      );
      // Waiting for a lock is nobody's failure: no attempt was spent on it.
      expect(jobs).toEqual([
        { state: "completed", attempts: 1 },
        { state: "completed", attempts: 1 },
      ]);
    } finally {
      await locker.end();
      await worker.stop(2_000);
    }
  });

  test("a lane that a stopped worker has locked holds its own inserts, and no other's", async () => {
    const { db } = fixture.database;
    const workspaceId = randomUUID();
    const sender = fixture.engine();
    await sender.enqueue(job(workspaceId, "stuck/1", 0));
    const locker = await db.connect();
    const done: string[] = [];
    const send = (lane: string, value: number) =>
      sender.enqueue(job(workspaceId, lane, value)).then(() => void done.push(`${lane} ${value}`));
    try {
      await locker.query("BEGIN; SELECT FROM lanes WHERE lane = 'stuck/1' FOR NO KEY UPDATE");
      const stuck: Promise<void>[] = [];
      for (let round = 1; round <= 3; round++) {
        stuck.push(send("stuck/1", round));
        await Promise.all(Array.from({ length: 30 }, (_, n) => send(`moving/${n}`, round)));
      }
      expect(done).toHaveLength(90);
      await locker.query("COMMIT");
      await Promise.all(stuck);
      await send("stuck/1", 4);
      const jobs = await db.query<{ value: number }>(
        "SELECT (payload->>'value')::int AS value FROM jobs WHERE lane = 'stuck/1' ORDER BY id",
      );
      expect(jobs.map(({ value }) => value)).toEqual([0, 1, 2, 3, 4]);
    } finally {
      await locker.end();
    }
  });
});
