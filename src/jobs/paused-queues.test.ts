import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { EFFECTS_TABLE, type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { backends } from "../../test/support/requirements.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { insertJobs } from "./enqueue.ts";
import type { ExternalHandler, Jobs, NewJob, TransactionalHandler } from "./index.ts";
import { dueLanes } from "./sweep.ts";
import { takeLeases } from "./take-leases.ts";

describe.each(backends)("a paused queue on $name", (backend) => {
  let fixture: JobsFixture;
  beforeAll(async () => {
    fixture = await jobsFixture(backend);
    await fixture.database.owner.query(EFFECTS_TABLE);
  });
  afterAll(() => fixture.close());

  const job = (lane: string, value: number, more: Partial<NewJob> = {}) =>
    fixture.job(lane, value, more);

  const completed = async (lane: string) =>
    (
      await fixture.database.db.query<{ attempts: number }>(
        "SELECT attempts FROM jobs WHERE lane = $1 AND state = 'completed'",
        [lane],
      )
    ).map((row) => row.attempts);

  const work: TransactionalHandler = { mode: "transactional", run: async () => {} };

  /** Every process must know before a test counts on it: no lane is held any more. */
  const untilIdle = (engine: Jobs) => waitFor(() => engine.lanesHeld === 0, { what: "idle" });

  test("gives its lanes to nobody, neither by lease nor by sweep, until it is resumed", async () => {
    const { db } = fixture.database;
    const lane = randomUUID();
    const holder = { owner: randomUUID(), leaseMs: 5_000, claimLimit: 64 };
    const { ledger } = fixture.engine();
    await insertJobs(db, [job(lane, 1)]);
    await ledger.pauseQueue("ingest");
    expect(await dueLanes(db, "ingest", 1_000, 5_000)).toEqual([]);
    expect((await takeLeases(db, "ingest", [lane], holder)).size).toBe(0);
    await ledger.resumeQueue("ingest");
    expect(await dueLanes(db, "ingest", 1_000, 5_000)).toEqual([lane]);
    expect((await takeLeases(db, "ingest", [lane], holder)).size).toBe(1);
    await db.query("DELETE FROM jobs");
    await db.query("DELETE FROM lanes");
  });

  test("takes jobs and begins none, in no process; resumed, it goes on at once and all are done", async () => {
    const lane = randomUUID();
    const other = randomUUID();
    const [sender, worker] = [fixture.engine(), fixture.engine({ sweepMs: 600_000 })];
    expect(await sender.ledger.pauseQueue("ingest")).toBe(true);
    expect(await sender.ledger.pauseQueue("ingest")).toBe(false);
    expect(await worker.ledger.pausedQueues()).toEqual(["ingest"]);
    await worker.startPool("ingest", work, { slots: 4 });
    await worker.startPool("schedule", work, { slots: 4 });
    await sender.enqueue(job(lane, 1));
    await sender.enqueue(job(other, 1, { queue: "schedule" }));
    await waitFor(async () => (await completed(other)).length === 1, { what: "the other queue" });
    expect(await completed(lane)).toEqual([]);
    // No sweep will come: what goes on was woken by the resume.
    expect(await sender.ledger.resumeQueue("ingest")).toBe(true);
    expect(await sender.ledger.resumeQueue("ingest")).toBe(false);
    await waitFor(async () => (await completed(lane)).length === 1, { what: "the job" });
    expect(await completed(lane)).toEqual([1]);
    await Promise.all([sender.stop(1_000), worker.stop(1_000)]);
  });

  test("a drain under way finishes what runs and begins nothing more; no attempt is spent", async () => {
    const lane = randomUUID();
    let begun = 0;
    const slow: ExternalHandler = {
      mode: "external",
      open: async () => ({
        run: async () => {
          begun++;
          await new Promise((resolve) => setTimeout(resolve, 20));
          return { type: "complete" };
        },
      }),
    };
    const engine = fixture.engine();
    await engine.startPool("outbound", slow, { slots: 2, laneConcurrency: 1 });
    const jobs = Array.from({ length: 60 }, (_, n) =>
      job(lane, n, { queue: "outbound", orderingKey: "a" }),
    );
    await Promise.all(jobs.map((one) => engine.enqueue(one)));
    await waitFor(() => begun > 3, { what: "a few jobs" });
    await engine.ledger.pauseQueue("outbound");
    await untilIdle(engine);
    const before = begun;
    expect(before).toBeLessThan(60);
    expect(await completed(lane)).toHaveLength(before);
    await engine.ledger.resumeQueue("outbound");
    await waitFor(async () => (await completed(lane)).length === 60, { what: "all" });
    expect(begun).toBe(60);
    expect(new Set(await completed(lane))).toEqual(new Set([1]));
    await engine.stop(1_000);
  });

  test("a strict lane with hundreds of jobs stops between two claims, and its order holds", async () => {
    const { db } = fixture.database;
    const lane = randomUUID();
    const write: TransactionalHandler = {
      mode: "transactional",
      run: async (tx, lanes) => {
        // Thirteen claims take longer than a process may take to see the pause.
        await tx.query("SELECT pg_sleep(0.12)");
        for (const { lane: name, jobs } of lanes) {
          for (const { payload } of jobs) {
            await tx.query("INSERT INTO effects (lane, value) VALUES ($1, $2)", [
              name,
              payload.value,
            ]);
          }
        }
      },
    };
    const engine = fixture.engine();
    const values = Array.from({ length: 800 }, (_, value) => value);
    await db.transaction((tx) =>
      engine.enqueueIn(
        tx,
        values.map((value) => job(lane, value)),
      ),
    );
    await engine.startPool("ingest", write, { slots: 2 });
    await waitFor(async () => (await completed(lane)).length > 0, { what: "a commit" });
    await engine.ledger.pauseQueue("ingest");
    await untilIdle(engine);
    const stopped = (await completed(lane)).length;
    expect(stopped).toBeLessThan(800);
    expect((await completed(lane)).length).toBe(stopped);
    await engine.ledger.resumeQueue("ingest");
    await waitFor(async () => (await completed(lane)).length === 800, { what: "all" });
    const effects = await db.query<{ value: number }>(
      "SELECT value FROM effects WHERE lane = $1 ORDER BY n",
      [lane],
    );
    expect(effects.map((effect) => effect.value)).toEqual(values);
    await engine.stop(1_000);
  });
});
