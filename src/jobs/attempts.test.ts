import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { backends } from "../../test/support/requirements.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { Attempts } from "./attempts.ts";
import { claimHeads } from "./claim.ts";
import { Discard, LeaseLost } from "./errors.ts";
import type { EndedAttempt, ExternalHandler, Job, NewJob } from "./index.ts";
import { takeLeases } from "./take-leases.ts";

const DONE = { type: "complete" } as const;
const numberOf = (job: Job) => Number(job.payload.value);

let fixture: JobsFixture;
beforeAll(async () => {
  const backend = backends.at(-1);
  if (backend === undefined) throw new Error("no backend");
  fixture = await jobsFixture(backend);
  await fixture.database.db.query("CREATE TABLE told (value int NOT NULL)");
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
    const claim = await claimHeads(db, lease, [], count);
    expect(claim.jobs).toHaveLength(count);
    return { lane, lease, jobs: claim.jobs, attempts: new Attempts({ db, handler, worker: "w" }) };
  };

  test("waits for its own lane's row, and no other lane's does", async () => {
    const [a, b] = [await held(2), await held(3)];
    const [a1] = a.jobs;
    const [b1, b2, b3] = b.jobs;
    if (!a1 || !b1 || !b2 || !b3) throw new Error("no jobs");
    const { attempts } = a;
    const other = await fixture.database.db.connect();
    try {
      await other.query("BEGIN");
      await other.query("SELECT FROM lanes WHERE lane = $1 FOR UPDATE", [a.lane]);
      const first = attempts.begin(a.lease, a1);
      const beside = attempts.begin(b.lease, b1);
      await expect(first).rejects.toMatchObject({ code: "55P03" });
      expect(await beside).toMatchObject({ attempt: 1 });
      // It is known to be locked now: who comes meanwhile is not behind it.
      let isOver = false;
      const again = attempts.begin(a.lease, a1).finally(() => {
        isOver = true;
      });
      expect(await attempts.begin(b.lease, b2)).toMatchObject({ attempt: 1 });
      expect(isOver).toBe(false);
      await other.query("ROLLBACK");
      expect(await again).toMatchObject({ attempt: 1 });
      expect(await attempts.begin(b.lease, b3)).toMatchObject({ attempt: 1 });
    } finally {
      await other.end();
    }
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
    const way = { together: true, withConsequences: true };
    const error = { errorClass: "Unknown", error: "nobody knows" };
    await Promise.all([
      attempts.record({ job, ...begun, outcome: { type: "discard", ...error }, runMs: 1 }, way),
      attempts.record({ job, ...begun, outcome: DONE, runMs: 1 }, way),
    ]);
    expect(ends.map(({ outcome, applied }) => [outcome.type, applied])).toEqual([
      ["discard", true],
      ["complete", false],
    ]);
    const { db } = fixture.database;
    expect(await db.query("SELECT state FROM jobs WHERE id = $1", [job.id])).toEqual([
      { state: "discarded" },
    ]);
  });
});
