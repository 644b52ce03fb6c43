import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { outsideWork } from "../../test/support/outside-work.ts";
import { backends } from "../../test/support/requirements.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { ExternalHandler, Outcome } from "./index.ts";

const DONE: Outcome = { type: "complete" };

describe.each(backends)("attempts at outside work on $name", (backend) => {
  let fixture: JobsFixture;
  beforeAll(async () => {
    fixture = await jobsFixture(backend);
  });
  afterAll(() => fixture.close());

  const { job, handler, statesOf, allEnded } = outsideWork(() => fixture);

  test("the attempt is committed before the call, and its outcome is recorded after the lease is gone", async () => {
    const lane = randomUUID();
    const engine = fixture.engine();
    const { db } = fixture.database;
    const recorded: boolean[] = [];
    await engine.startPool(
      "outbound",
      handler(
        {
          run: async (running) => {
            const [row] = await db.query<{ state: string; attempts: number }>(
              "SELECT state, attempts FROM jobs WHERE workspace_id = $1 AND id = $2",
              [running.workspaceId, running.id],
            );
            expect(row).toEqual({ state: "running", attempts: 1 });
            // Another worker takes the lane over while the call is under way.
            await db.query(
              `UPDATE lanes SET owner = gen_random_uuid(), epoch = nextval('lease_epochs'),
               lease_until = now() + interval '3 s' WHERE lane = $1`,
              [lane],
            );
            return DONE;
          },
        },
        {
          finish: async (_tx, ends) => {
            recorded.push(...ends.map(({ applied }) => applied));
          },
        },
      ),
      { slots: 1 },
    );
    await engine.enqueue(job(lane, "k", 1));
    await waitFor(allEnded(lane), { what: "the outcome" });
    await engine.stop(2_000);
    expect(recorded).toEqual([true]);
    expect(await statesOf(lane)).toEqual(["completed"]);
  });

  test("what a dead holder left running is settled before its key goes on", async () => {
    const lane = randomUUID();
    const engine = fixture.engine();
    const { db } = fixture.database;
    await engine.enqueue(job(lane, "k", 1));
    await engine.enqueue(job(lane, "k", 2));
    await db.query(
      `UPDATE jobs SET state = 'running', attempts = 1 WHERE lane = $1
         AND id = (SELECT min(id) FROM jobs WHERE lane = $1)`,
      [lane],
    );
    await db.query(
      `UPDATE lanes SET owner = gen_random_uuid(), lease_until = now() - interval '1 s'
       WHERE lane = $1`,
      [lane],
    );
    const events: string[] = [];
    const knownAtMs = Date.now() + 300;
    await engine.startPool(
      "outbound",
      handler({
        orphan: async ({ payload }) => {
          if (Date.now() < knownAtMs) {
            return { outcome: { type: "pause", untilMs: knownAtMs, reason: "wait" } };
          }
          events.push(`orphan ${payload.value}`);
          const error = "nobody knows";
          return { outcome: { type: "discard", errorClass: "Unknown", error } };
        },
        run: async ({ payload }) => {
          events.push(`run ${payload.value}`);
          return DONE;
        },
      }),
      { slots: 1 },
    );
    await waitFor(allEnded(lane), { what: "the lane to go on" });
    await engine.stop(2_000);
    expect(events).toEqual(["orphan 1", "run 2"]);
  });

  test.each(["evidence", "outbound", "backfill"] as const)(
    "what a dead holder left running of %s is settled also after the clock went back",
    async (queue) => {
      const lane = randomUUID();
      const { db } = fixture.database;
      await fixture.engine().enqueue(job(lane, "k", 1, { queue }));
      // Begun when its retry was due, by a clock that was ahead.
      await db.query(
        `UPDATE jobs SET state = 'running', attempts = 2, worker = gen_random_uuid(),
           run_at = now() + interval '1 h', started_at = now() + interval '1 h' WHERE lane = $1`,
        [lane],
      );
      await db.query(
        `UPDATE lanes SET due_at = now(), owner = gen_random_uuid(),
           lease_until = now() - interval '1 s' WHERE lane = $1`,
        [lane],
      );
      const engine = fixture.engine();
      await engine.startPool(queue, handler({ run: async () => DONE }), { slots: 1 });
      await waitFor(allEnded(lane), { what: "the orphan" });
      await engine.stop(2_000);
    },
  );

  /** As the driver throws them; the last one has no code. */
  const ERRORS = ["53100", "57014", "25006", "40P01", "42P01", "Query read timeout"];
  const thrown = (error: string) =>
    error.length === 5 ? Object.assign(new Error("refused"), { code: error }) : new Error(error);

  /** One job, whose outcome is recorded with `finish`; answers how often it was run. */
  const recordOne = async (lane: string, finish: ExternalHandler["finish"]): Promise<number> => {
    const engine = fixture.engine({ leaseMs: 300, sweepMs: 100 });
    let calls = 0;
    const run = async () => {
      calls++;
      return DONE;
    };
    await engine.startPool("outbound", handler({ run }, { finish }), { slots: 1 });
    await engine.enqueue(job(lane, "k", 1));
    await waitFor(allEnded(lane), { what: "the outcome" });
    await engine.stop(2_000);
    return calls;
  };

  test.each(ERRORS)(
    "an outcome that is known is not forgotten: %s while it is recorded",
    async (error) => {
      const lane = randomUUID();
      let refusals = 0;
      // The transaction itself tries deadlocks three times.
      const calls = await recordOne(lane, async () => {
        if (++refusals <= 4) throw thrown(error);
      });
      expect(calls).toBe(1);
      expect(await statesOf(lane)).toEqual(["completed"]);
    },
  );

  test.each(["22001", "23503", "not the database's"])(
    "an outcome whose consequences cannot be written (%s) is recorded without them",
    async (error) => {
      const lane = randomUUID();
      const calls = await recordOne(lane, async (tx, [end]) => {
        await tx.query("UPDATE jobs SET error = 'half' WHERE id = $1", [end?.job.id]);
        throw thrown(error);
      });
      expect(calls).toBe(1);
      const { db } = fixture.database;
      expect(await db.query("SELECT state, error FROM jobs WHERE lane = $1", [lane])).toEqual([
        { state: "completed", error: null },
      ]);
    },
  );

  test.each([
    ["claims", "query"],
    ["begins", "transaction"],
  ] as const)(
    "a call that hangs does not hold its lane when the database was away while it %s",
    async (_, method) => {
      const lane = randomUUID();
      const { db } = fixture.database;
      let isAway = false;
      let refused = 0;
      const refuse = (sql: string) => {
        if (!isAway || !(method === "transaction" || sql.includes("jobs.look"))) return;
        refused++;
        throw Object.assign(new Error("terminating connection"), { code: "57P01" });
      };
      const cut: typeof db = {
        ...db,
        query: async (sql, params) => {
          if (method === "query") refuse(sql);
          return db.query(sql, params);
        },
        transaction: async (work, options) => {
          if (method === "transaction") refuse("");
          return db.transaction(work, options);
        },
      };
      const engine = fixture.engine({ db: cut });
      const started = new Set<number>();
      const notBegun = new Set<unknown>();
      await engine.startPool(
        "outbound",
        handler({
          notBegun: ({ payload }) => void notBegun.add(payload.value),
          run: async ({ payload }, signal) => {
            started.add(Number(payload.value));
            if (payload.value !== 1) return DONE;
            await new Promise((resolve) => signal.addEventListener("abort", resolve));
            return { type: "retry", errorClass: "Aborted", error: "the worker stopped" };
          },
        }),
        { slots: 1, laneConcurrency: 4 },
      );
      const enqueue = (key: string, value: number) =>
        db.transaction((tx) => engine.enqueueIn(tx, [job(lane, key, value)]));
      await enqueue("a", 1);
      await waitFor(() => started.has(1), { what: "the call" });
      isAway = true;
      await enqueue("b", 2);
      await waitFor(() => refused > 0, { what: "the database to be away" });
      isAway = false;
      await waitFor(() => started.has(2), { what: "the lane to go on" });
      expect([...notBegun]).toEqual(method === "transaction" ? [2] : []);
      await engine.stop(300);
    },
  );

  test("a begin that was cut off after its commit is nobody's death: its call is made at once", async () => {
    const lane = randomUUID();
    const { db } = fixture.database;
    let cuts = 0;
    const cut: typeof db = {
      ...db,
      transaction: async (work, options) => {
        const result = await db.transaction(work, options);
        if (++cuts === 1) throw Object.assign(new Error("terminating"), { code: "57P01" });
        return result;
      },
    };
    const engine = fixture.engine({ db: cut });
    const known: boolean[] = [];
    let calls = 0;
    await engine.startPool(
      "outbound",
      handler({
        orphan: async (left, { neverLeft }) => {
          if (left.lane === lane) known.push(neverLeft);
          return { outcome: { type: "pause", untilMs: Date.now(), reason: "cut off" } };
        },
        run: async (running) => {
          // What another test left in its lane is not this one's.
          if (running.lane === lane) calls++;
          return DONE;
        },
      }),
      { slots: 1 },
    );
    await db.transaction((tx) => engine.enqueueIn(tx, [job(lane, "k", 1)]));
    await waitFor(allEnded(lane), { what: "the call" });
    await engine.stop(2_000);
    expect({ calls, known }).toEqual({ calls: 1, known: [true] });
    const rows = await db.query("SELECT state, attempts, deaths FROM jobs WHERE lane = $1", [lane]);
    expect(rows).toEqual([{ state: "completed", attempts: 1, deaths: 0 }]);
  });

  test("a shutdown aborts a call that hangs, and hands back what was not begun", async () => {
    const lane = randomUUID();
    const engine = fixture.engine();
    const started = new Set<number>();
    await engine.startPool(
      "outbound",
      handler({
        run: async (running, signal) => {
          // What another test left in its lane must not take this one's slot.
          if (running.lane !== lane) return { type: "complete" };
          started.add(Number(running.payload.value));
          await once(signal, "abort");
          return { type: "retry", errorClass: "Aborted", error: "the worker stopped" };
        },
      }),
      { slots: 1, laneConcurrency: 1 },
    );
    await engine.enqueue(job(lane, "a", 1));
    await waitFor(() => started.has(1), { what: "the call" });
    await engine.enqueue(job(lane, "b", 2));
    await engine.stop(300);
    const rows = await fixture.database.db.query(
      `SELECT j.state, j.attempts, l.owner FROM jobs j
       JOIN lanes l ON l.queue = j.queue AND l.lane = j.lane WHERE j.lane = $1 ORDER BY j.id`,
      [lane],
    );
    expect(rows).toEqual([
      { state: "retryable", attempts: 1, owner: null },
      { state: "available", attempts: 0, owner: null },
    ]);
  });
});
