import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { EFFECTS_TABLE, type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { backends } from "../../test/support/requirements.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { NewJob, TransactionalHandler } from "./index.ts";
import { isCut } from "./suspects.ts";
import { judgeMark } from "./worker-life.ts";

describe("the life of a worker that left a mark", () => {
  const heard = { heartbeat: "1", died: false };
  const seen = { heartbeat: "1", sinceMs: 1_000 };

  test.each([
    ["nothing is on record", null, undefined, "gone"],
    ["its watchdog ended it", { ...heard, died: true }, undefined, "gone"],
    ["its mark is new here", heard, undefined, "unknown"],
    ["it has not been heard of yet", heard, seen, "unknown"],
    ["it was heard of again", { ...heard, heartbeat: "2" }, seen, "lives"],
    // Postgres's clock may go back.
    ["it was heard of at an earlier time", { ...heard, heartbeat: "0" }, seen, "lives"],
  ])("%s", (_, record, first, life) => {
    expect(judgeMark(record, first, 5_000)).toBe(life);
  });

  test("it was silent for too long", () => {
    expect(judgeMark(heard, seen, 12_999)).toBe("unknown");
    expect(judgeMark(heard, seen, 13_000)).toBe("gone");
  });
});

test.each([
  ["25P03", true],
  ["57P01", true],
  ["57P02", true],
  ["57P03", false],
  ["53300", false],
  ["53100", false],
  ["08006", false],
])("%s is the end of a connection at work: %s", (code, is) => {
  expect(isCut(Object.assign(new Error("x"), { code }))).toBe(is);
});

describe("a job whose transaction is cut", () => {
  let fixture: JobsFixture;
  beforeAll(async () => {
    const backend = backends.at(-1);
    if (backend === undefined) throw new Error("no backend");
    fixture = await jobsFixture(backend);
    await fixture.database.owner.query(EFFECTS_TABLE);
  });
  afterAll(() => fixture.close());

  const job = (lane: string, value: number): NewJob => ({
    queue: "ingest",
    lane,
    workspaceId: fixture.workspaceId,
    kind: "test",
    payload: { value },
    maxAttempts: 2,
  });
  const rowsOf = (lane: string) =>
    fixture.database.db.query<{ state: string; attempts: number; error_class: string | null }>(
      "SELECT state, attempts, error_class FROM jobs WHERE lane = $1 ORDER BY id",
      [lane],
    );
  const allEnded = (lane: string) => async () =>
    (await rowsOf(lane)).every(({ state }) => state === "completed" || state === "discarded");
  /** Value 0 has its connections cut by `cut`, the first `times` times; the others do nothing. */
  const handler = (cut: (own: number) => Promise<unknown>, times: number) => {
    const seen = { runs: 0 };
    const work: TransactionalHandler = {
      mode: "transactional",
      run: async (tx, lanes) => {
        const jobs = lanes.flatMap((lane) => lane.jobs);
        if (jobs.every(({ payload }) => payload.value !== 0)) return;
        if (++seen.runs <= times) {
          const [row] = await tx.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
          await cut(row?.pid ?? 0);
          // The end of this very connection may be noticed a moment later.
          for (;;) await tx.query("SELECT pg_sleep(0.01)");
        }
      },
    };
    return { seen, work };
  };

  const OWN = (own: number) =>
    fixture.database.owner.query("SELECT pg_terminate_backend($1)", [own]);
  const ALL = (own: number) =>
    fixture.database.owner.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY pid = $1`,
      [own],
    );

  test("each time, and no other's: it spends its attempts, with one worker too, and its lane goes on", async () => {
    const lane = randomUUID();
    const { work } = handler(OWN, Number.POSITIVE_INFINITY);
    const engine = fixture.engine({ leaseMs: 200, sweepMs: 50 });
    await engine.startPool("ingest", work, { slots: 4 });
    await engine.enqueue(job(lane, 0));
    await engine.enqueue(job(lane, 1));
    await waitFor(allEnded(lane), { what: "the lane to go on" });
    await engine.stop(500);
    expect(await rowsOf(lane)).toEqual([
      { state: "discarded", attempts: 2, error_class: "ConnectionCut" },
      { state: "completed", attempts: 1, error_class: null },
    ]);
  });

  test("by two workers, whose leases run out: the same", async () => {
    const lane = randomUUID();
    const { work } = handler(OWN, Number.POSITIVE_INFINITY);
    const engines = [1, 2].map(() => fixture.engine({ leaseMs: 200, sweepMs: 50 }));
    for (const engine of engines) {
      await engine.announce("test");
      await engine.startPool("ingest", work, { slots: 4 });
    }
    await engines[0]?.enqueue(job(lane, 0));
    await waitFor(allEnded(lane), { what: "its end", timeoutMs: 20_000 });
    for (const engine of engines) await engine.stop(500);
    expect(await rowsOf(lane)).toEqual([
      { state: "discarded", attempts: 2, error_class: "ConnectionCut" },
    ]);
  });

  test("with everybody's, again and again: nothing is counted", async () => {
    const lane = randomUUID();
    const { seen, work } = handler(ALL, 8);
    const engine = fixture.engine({ leaseMs: 200, sweepMs: 50 });
    await engine.startPool("ingest", work, { slots: 4 });
    await engine.enqueue(job(lane, 0));
    await waitFor(allEnded(lane), { what: "the database to stay", timeoutMs: 20_000 });
    await engine.stop(500);
    expect(seen.runs).toBe(9);
    expect(await rowsOf(lane)).toEqual([{ state: "completed", attempts: 1, error_class: null }]);
  });

  describe("and whose mark was left by a worker", () => {
    const leave = async (lane: string, worker: { host: string; pid: number; id: string }) => {
      const { db } = fixture.database;
      await fixture.engine().enqueue(job(lane, 1));
      await db.query(
        `INSERT INTO processes (id, role, host, pid, version, queues, started_at, heartbeat_at,
           lanes_held, held_queues, held_lanes, event_loop_delay_ms, memory_bytes)
         VALUES ($1, 'test', $2, $3, '1', '{}', now(), now(), 0, '{}', '{}', 0, 0)`,
        [worker.id, worker.host, worker.pid],
      );
      const name = `${worker.host}/${worker.pid}/${worker.id.slice(0, 8)}`;
      await db.query(
        `UPDATE jobs SET state = 'running', deaths = 2, worker = $2, begun = nextval('job_begins')
         WHERE lane = $1`,
        [lane, name],
      );
      await db.query(
        `UPDATE lanes SET owner = $2, lease_until = now() - interval '1 s' WHERE lane = $1`,
        [lane, worker.id],
      );
      return name;
    };
    const isPutOff = (lane: string) => async () =>
      (
        await fixture.database.db.query(
          "SELECT FROM lanes WHERE lane = $1 AND owner IS NULL AND due_at > now()",
          [lane],
        )
      ).length > 0;

    test("that lives: it waits until that is known, and is no killer", async () => {
      const [lane, worker] = [randomUUID(), { host: "a", pid: 1, id: randomUUID() }];
      await leave(lane, worker);
      const engine = fixture.engine({ leaseMs: 300, sweepMs: 50 });
      await engine.startPool("ingest", handler(OWN, 0).work, { slots: 4 });
      await waitFor(isPutOff(lane), { what: "the lane to be put off" });
      expect((await rowsOf(lane))[0]?.state).toBe("running");
      await fixture.database.db.query("UPDATE processes SET heartbeat_at = now() WHERE id = $1", [
        worker.id,
      ]);
      await waitFor(allEnded(lane), { what: "its end" });
      await engine.stop(500);
      expect(await rowsOf(lane)).toEqual([{ state: "completed", attempts: 1, error_class: null }]);
    });

    test("that its watchdog ended: one more death", async () => {
      const [lane, worker] = [randomUUID(), { host: "b", pid: 1, id: randomUUID() }];
      const name = await leave(lane, worker);
      await fixture.database.db.query(
        "INSERT INTO worker_deaths (worker, reason) VALUES ($1, 'hung')",
        [name],
      );
      const engine = fixture.engine({ leaseMs: 300, sweepMs: 50 });
      await engine.startPool("ingest", handler(OWN, 0).work, { slots: 4 });
      await waitFor(allEnded(lane), { what: "its end" });
      await engine.stop(500);
      expect(await rowsOf(lane)).toMatchObject([{ state: "discarded", error_class: "WorkerDied" }]);
    });
  });
});
