import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { backends } from "../../test/support/requirements.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { Attempts, Busy, type RecordWay } from "./attempts.ts";
import { Discard, LeaseLost } from "./errors.ts";
import type { EndedAttempt, ExternalHandler, Job, NewJob } from "./index.ts";
import { LaneReaders } from "./lane-reader.ts";
import { takeLeases } from "./take-leases.ts";

const DONE = { type: "complete" } as const;
const ALL: RecordWay = { together: true, consequences: "all" };
const numberOf = (job: Job) => Number(job.payload.value);

let fixture: JobsFixture;
beforeAll(async () => {
  const backend = backends.at(-1);
  if (backend === undefined) throw new Error("no backend");
  fixture = await jobsFixture(backend);
  await fixture.database.owner.query("CREATE TABLE told (value int NOT NULL)");
});
afterAll(() => fixture.close());

const newJob = (lane: string, value: number): NewJob =>
  fixture.job(lane, value, { queue: "outbound", orderingKey: `k${value}` });

describe("attempts of several lanes that meet", () => {
  const tag = randomUUID();
  const POISON = 13;
  const JOBS = 40;

  beforeEach(async () => {
    await fixture.database.db.query("DELETE FROM told");
  });

  /** Forty jobs in four lanes, all run; their states by value. */
  const runAll = async (more: Pick<ExternalHandler, "begin" | "finish">) => {
    const { db } = fixture.database;
    const engine = fixture.engine();
    const run = randomUUID();
    const lanes = Array.from({ length: 4 }, (_, n) => `${tag}/${run}/${n}`);
    const jobs = Array.from({ length: JOBS }, (_, n) => newJob(lanes[n % 4] ?? "", n));
    await db.transaction((tx) => engine.enqueueIn(tx, jobs));
    const handler: ExternalHandler = {
      mode: "external",
      open: async () => ({ run: async () => DONE }),
      ...more,
    };
    await engine.startPool("outbound", handler, { slots: 4, laneConcurrency: 10 });
    const states = () =>
      db.query<{ value: number; state: string; attempts: number; error_class: string | null }>(
        `SELECT (payload->>'value')::int AS value, state, attempts, error_class FROM jobs
         WHERE lane LIKE $1 ORDER BY 1`,
        [`${tag}/${run}/%`],
      );
    await waitFor(
      async () => (await states()).every(({ state }) => /completed|discarded/.test(state)),
      { what: "all to be sent" },
    );
    await engine.stop(2_000);
    return states();
  };

  const told = async () =>
    (await fixture.database.db.query<{ value: number }>("SELECT value FROM told ORDER BY 1")).map(
      ({ value }) => value,
    );

  test("begin and end in common transactions, each once", async () => {
    const begun: number[][] = [];
    const ended: number[][] = [];
    const states = await runAll({
      begin: async (_tx, jobs) => {
        begun.push(jobs.map(numberOf));
        return new Map(jobs.map((job) => [job.id, `own ${numberOf(job)}`]));
      },
      finish: async (_tx, ends) => {
        for (const { job, own, applied } of ends) {
          expect({ own, applied }).toEqual({ own: `own ${numberOf(job)}`, applied: true });
        }
        ended.push(ends.map(({ job }) => numberOf(job)));
      },
    });
    const all = Array.from({ length: JOBS }, (_, n) => n);
    for (const batches of [begun, ended]) {
      expect(batches.flat().sort((a, b) => a - b)).toEqual(all);
      expect(batches.length).toBeLessThan(JOBS / 2);
    }
    expect(states.every(({ state }) => state === "completed")).toBe(true);
  });

  test("one that cannot begin fails alone, and spends one attempt", async () => {
    const states = await runAll({
      begin: async (_tx, jobs) => {
        if (jobs.some((job) => numberOf(job) === POISON)) throw new Discard("no such message");
        return new Map();
      },
    });
    expect(states.filter(({ state }) => state !== "completed")).toEqual([
      { value: POISON, state: "discarded", attempts: 1, error_class: "Discard" },
    ]);
  });

  test("one whose consequences cannot be written takes nobody else's along", async () => {
    const states = await runAll({
      finish: async (tx, ends) => {
        const values = ends.map(({ job }) => numberOf(job));
        await tx.query("INSERT INTO told SELECT unnest($1::int[])", [values]);
        if (values.includes(POISON)) await tx.query("INSERT INTO told VALUES (NULL)");
      },
    });
    expect(states.every(({ state }) => state === "completed")).toBe(true);
    const others = Array.from({ length: JOBS }, (_, n) => n).filter((n) => n !== POISON);
    expect(await told()).toEqual(others);
  });
});

describe("an attempt", () => {
  const NO_HANDLER: ExternalHandler = {
    mode: "external",
    open: async () => ({ run: async () => DONE }),
  };

  /** Jobs of a lane that is held, and what begins and ends them. */
  const held = async (count: number, handler = NO_HANDLER) => {
    const { db } = fixture.database;
    const engine = fixture.engine();
    const lane = randomUUID();
    const jobs = Array.from({ length: count }, (_, n) => newJob(lane, n));
    await db.transaction((tx) => engine.enqueueIn(tx, jobs));
    const holder = { owner: fixture.workspaceId, leaseMs: 60_000, claimLimit: 0 };
    const lease = (await takeLeases(db, "outbound", [lane], holder)).get(lane)?.lease;
    if (lease === undefined) throw new Error("no lease");
    const reader = new LaneReaders(db, lease.queue).readerOf(lease.lane);
    const claimed = await reader.readHeads(jobs.map(({ orderingKey = "" }) => orderingKey));
    expect(claimed.map(numberOf)).toEqual(jobs.map((_, n) => n));
    return { lane, lease, jobs: claimed, attempts: new Attempts({ db, handler, worker: "w" }) };
  };

  test("waits for its own lane's row, and no other lane's does", async () => {
    const [a, b] = [await held(2), await held(3)];
    const [a1, a2] = a.jobs;
    const [b1, b2] = b.jobs;
    if (!a1 || !a2 || !b1 || !b2) throw new Error("no jobs");
    const { attempts } = a;
    const other = await fixture.database.db.connect();
    try {
      await other.query("BEGIN");
      await other.query("SELECT FROM lanes WHERE lane = $1 FOR UPDATE", [a.lane]);
      let waiting = 2;
      const behind = [a1, a2].map((job) =>
        attempts.begin(a.lease, job).finally(() => {
          waiting--;
        }),
      );
      expect(await attempts.begin(b.lease, b1)).toMatchObject({ attempt: 1 });
      expect(await attempts.begin(b.lease, b2)).toMatchObject({ attempt: 1 });
      expect(waiting).toBe(2);
      const ends = await Promise.allSettled(behind);
      expect(ends.map((end) => end.status === "rejected" && end.reason)).toEqual([
        expect.any(Busy),
        expect.any(Busy),
      ]);
      const again = attempts.begin(a.lease, a1);
      await other.query("ROLLBACK");
      expect(await again).toMatchObject({ attempt: 1 });
    } finally {
      await other.end();
    }
  });

  test("that needs a row of its handler's which is locked begins by itself; its lane goes on", async () => {
    const { db } = fixture.database;
    await db.query("DELETE FROM told");
    await db.query("INSERT INTO told SELECT generate_series(0, 9)");
    const { attempts, lease, jobs } = await held(3, {
      ...NO_HANDLER,
      begin: async (tx, some) => {
        await tx.query("UPDATE told SET value = value WHERE value = ANY ($1::int[])", [
          some.map(numberOf),
        ]);
        return new Map();
      },
    });
    const other = await db.connect();
    try {
      await other.query("BEGIN");
      await other.query("SELECT FROM told WHERE value = 1 FOR UPDATE");
      const ends = await Promise.allSettled(jobs.map((job) => attempts.begin(lease, job)));
      expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
      expect(ends[1]).toMatchObject({ reason: expect.any(Busy) });
    } finally {
      await other.end();
    }
  });

  test("whose begin was cut off is known not to have left; another's is not", async () => {
    const { db } = fixture.database;
    const { attempts, lease, jobs } = await held(2);
    const [job, another] = jobs;
    if (!job || !another) throw new Error("no jobs");
    const cutAtTheEnd: typeof db = {
      ...db,
      transaction: async (work, options) => {
        await db.transaction(work, options);
        throw Object.assign(new Error("terminating connection"), { code: "57P01" });
      },
    };
    const cut = new Attempts({ db: cutAtTheEnd, handler: NO_HANDLER, worker: "cut" });
    await expect(cut.begin(lease, job)).rejects.toMatchObject({ code: "57P01" });
    expect(await attempts.begin(lease, another)).toMatchObject({ attempt: 1 });
    const [left] = await new LaneReaders(db, lease.queue)
      .readerOf(lease.lane)
      .readRunning([job.id]);
    if (!left) throw new Error("no job is left");
    expect(left).toMatchObject({ id: job.id, state: "running", worker: "cut" });
    expect(cut.neverLeft(left)).toBe(true);
    expect(attempts.neverLeft(left)).toBe(false);
    expect(cut.neverLeft({ ...left, worker: "another" })).toBe(false);
    expect(cut.neverLeft(another)).toBe(false);
  });

  test("whose consequence is locked is recorded by itself; the others' ends are written", async () => {
    const { db } = fixture.database;
    await db.query("DELETE FROM told");
    await db.query("INSERT INTO told SELECT generate_series(0, 9)");
    const { attempts, lease, jobs } = await held(4, {
      ...NO_HANDLER,
      finish: async (tx, ends, { onlyEssential }) => {
        if (onlyEssential) return;
        await tx.query("UPDATE told SET value = value WHERE value = ANY ($1::int[])", [
          ends.map(({ job }) => numberOf(job)),
        ]);
      },
    });
    const begun = await Promise.all(jobs.map((job) => attempts.begin(lease, job)));
    const ends = jobs.map((job, n) => {
      const own = begun[n];
      if (!own) throw new Error("not begun");
      return { job, ...own, outcome: DONE, runMs: 1 };
    });
    const other = await db.connect();
    try {
      await other.query("BEGIN");
      await other.query("SELECT FROM told WHERE value = 2 FOR UPDATE");
      const recorded = await Promise.allSettled(ends.map((end) => attempts.record(end, ALL)));
      expect(recorded.map(({ status }) => status)).toEqual([
        "fulfilled",
        "fulfilled",
        "rejected",
        "fulfilled",
      ]);
      const locked = ends[2];
      if (locked) await attempts.record(locked, { together: false, consequences: "essential" });
    } finally {
      await other.end();
    }
    const ids = jobs.map(({ id }) => id);
    expect(
      await db.query("SELECT DISTINCT state FROM jobs WHERE id = ANY ($1::bigint[])", [ids]),
    ).toEqual([{ state: "completed" }]);
  });

  test("does not begin without the lease, nor a job that somebody changed; others beside it do", async () => {
    const [a, b] = [await held(2), await held(1)];
    const { db } = fixture.database;
    const [a1, a2] = a.jobs;
    const [b1] = b.jobs;
    if (!a1 || !a2 || !b1) throw new Error("no jobs");
    await db.query("UPDATE jobs SET state = 'cancelled', filed = false WHERE id = $1", [a1.id]);
    await db.query("UPDATE lanes SET epoch = nextval('lease_epochs') WHERE lane = $1", [b.lane]);
    const ends = await Promise.allSettled([
      a.attempts.begin(a.lease, a1),
      a.attempts.begin(b.lease, b1),
      a.attempts.begin(a.lease, a2),
    ]);
    expect(ends).toMatchObject([
      { status: "fulfilled", value: null },
      { status: "rejected", reason: expect.any(LeaseLost) },
      { status: "fulfilled", value: { attempt: 1 } },
    ]);
  });

  test("that a successor has judged: both ends may come in one moment, the later changes nothing", async () => {
    const ends: EndedAttempt[] = [];
    const { attempts, lease, jobs } = await held(1, {
      ...NO_HANDLER,
      finish: async (_tx, some) => {
        ends.push(...some);
      },
    });
    const [job] = jobs;
    if (!job) throw new Error("no job");
    const begun = await attempts.begin(lease, job);
    if (begun === null) throw new Error("not begun");
    await Promise.all([
      attempts.record({ job, ...begun, outcome: DONE, runMs: 1 }, ALL),
      attempts.record({ job, ...begun, outcome: DONE, runMs: 2 }, ALL),
    ]);
    expect(ends.map(({ applied }) => applied)).toEqual([true, false]);
    const { db } = fixture.database;
    expect(await db.query("SELECT state FROM jobs WHERE id = $1", [job.id])).toEqual([
      { state: "completed" },
    ]);
  });
});
