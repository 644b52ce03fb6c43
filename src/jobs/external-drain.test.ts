import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { backends } from "../../test/support/requirements.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { ExternalHandler, Job, LaneRunner, NewJob, Outcome } from "./index.ts";

const DONE: Outcome = { type: "complete" };

describe.each(backends)("a pool of outside work on $name", (backend) => {
  let fixture: JobsFixture;
  beforeAll(async () => {
    fixture = await jobsFixture(backend);
  });
  afterAll(() => fixture.close());

  const job = (lane: string, key: string, value: number, more: Partial<NewJob> = {}): NewJob =>
    fixture.job(lane, value, { queue: "outbound", orderingKey: key, ...more });

  const handler = (
    runner: LaneRunner,
    more: Pick<ExternalHandler, "finish"> = {},
  ): ExternalHandler => ({ mode: "external", open: async () => runner, ...more });

  const statesOf = async (lane: string) =>
    (
      await fixture.database.db.query<{ state: string }>(
        "SELECT state FROM jobs WHERE lane = $1 ORDER BY id",
        [lane],
      )
    ).map((row) => row.state);

  const allEnded = (lane: string) => async () =>
    (await statesOf(lane)).every((state) => state === "completed" || state === "discarded");

  test("order holds inside a key, keys run side by side, one in flight a key", async () => {
    const lane = randomUUID();
    const engine = fixture.engine();
    const seen = new Map<string, number[]>();
    const inFlight = new Set<string>();
    let most = 0;
    await engine.startPool(
      "outbound",
      handler({
        run: async (running: Job) => {
          const key = running.orderingKey ?? "";
          expect(inFlight.has(key)).toBe(false);
          inFlight.add(key);
          most = Math.max(most, inFlight.size);
          // The first one stays in flight until another key has joined it.
          await waitFor(() => most > 1, { what: "a second key in flight" });
          seen.set(key, [...(seen.get(key) ?? []), Number(running.payload.value)]);
          inFlight.delete(key);
          return DONE;
        },
      }),
      { slots: 4, laneConcurrency: 4 },
    );
    const jobs = Array.from({ length: 60 }, (_, n) => job(lane, `k${n % 6}`, n));
    await fixture.database.db.transaction((tx) => engine.enqueueIn(tx, jobs));
    await waitFor(allEnded(lane), { what: "all to be sent" });
    await engine.stop(2_000);
    expect(most).toBeGreaterThan(1);
    for (const [key, values] of seen) {
      const expected = jobs
        .filter((one) => one.orderingKey === key)
        .map((one) => one.payload?.value);
      expect(values).toEqual(expected);
    }
    expect(seen.size).toBe(6);
  });

  test("urgent keys go first; an urgent job lends its priority to what stands before it in its key, a critical one passes it", async () => {
    const lane = randomUUID();
    const engine = fixture.engine();
    const seen: number[] = [];
    await fixture.database.db.transaction((tx) =>
      engine.enqueueIn(tx, [
        job(lane, "bulk", 1, { priority: 8 }),
        job(lane, "bulk2", 2, { priority: 8 }),
        job(lane, "reply", 3, { priority: 8 }),
        job(lane, "reply", 4, { priority: 2 }),
        job(lane, "alert", 5, { priority: 8 }),
        job(lane, "alert", 6, { priority: 0 }),
        job(lane, "alert", 7, { priority: 0 }),
      ]),
    );
    await engine.startPool(
      "outbound",
      handler({
        run: async ({ payload }) => {
          seen.push(Number(payload.value));
          return DONE;
        },
      }),
      { slots: 1, laneConcurrency: 1 },
    );
    await waitFor(allEnded(lane), { what: "all to be sent" });
    await engine.stop(2_000);
    // Once in eight choices another goes before the best: never two of these six.
    const inOrder = [6, 7, 3, 4, 1, 2, 5];
    expect(seen.filter((value) => value >= 6)).toEqual([6, 7]);
    expect(seen.filter((value) => value === 3 || value === 4)).toEqual([3, 4]);
    const early = seen.filter((value, n) => inOrder.indexOf(value) > n);
    expect(early.length).toBeLessThanOrEqual(1);
  });

  test("a clock that is set back by an hour keeps no lane for an hour", async () => {
    const lane = randomUUID();
    const engine = fixture.engine();
    await fixture.database.db.transaction((tx) => engine.enqueueIn(tx, [job(lane, "k", 1)]));
    const realNow = Date.now;
    let backMs = 0;
    jest.spyOn(Date, "now").mockImplementation(() => realNow() - backMs);
    try {
      const open = async (): Promise<LaneRunner> => {
        const slotMs = Date.now();
        backMs = 3_600_000;
        return {
          choose: ([first], nowMs) =>
            first === undefined || nowMs < slotMs ? { waitUntilMs: slotMs } : { job: first },
          run: async () => DONE,
        };
      };
      const slots = { slots: 1, laneConcurrency: 1 };
      await engine.startPool("outbound", { mode: "external", open }, slots);
      await waitFor(allEnded(lane), { what: "it to be sent" });
      await engine.stop(2_000);
    } finally {
      jest.restoreAllMocks();
    }
  });

  test("a runner says how many may be in flight: at least one, at most what the pool allows", async () => {
    const lane = randomUUID();
    const engine = fixture.engine();
    let allowed = 0;
    let asked = 0;
    let inFlight = 0;
    let isReleased = false;
    await engine.startPool(
      "outbound",
      handler({
        concurrency: () => {
          asked++;
          return allowed;
        },
        run: async () => {
          inFlight++;
          await waitFor(() => isReleased, { what: "the release" });
          return DONE;
        },
      }),
      { slots: 1, laneConcurrency: 4 },
    );
    const jobs = Array.from({ length: 8 }, (_, n) => job(lane, `k${n}`, n));
    await fixture.database.db.transaction((tx) => engine.enqueueIn(tx, jobs));
    for (const [wanted, most] of [
      [0, 1],
      [3, 3],
      [9, 4],
    ] as const) {
      allowed = wanted;
      await waitFor(() => inFlight === most, { what: `${most} in flight` });
      const askedThen = asked;
      await waitFor(() => asked > askedThen + 3, { what: "more looks" });
      expect(inFlight).toBe(most);
    }
    isReleased = true;
    await waitFor(allEnded(lane), { what: "all to be sent" });
    await engine.stop(2_000);
  });

  test("two keys that turn out to be one: one in flight of both, in the order in which they came", async () => {
    const lane = randomUUID();
    const engine = fixture.engine();
    const begun: number[] = [];
    const inFlight = new Set<number>();
    let isMoved = false;
    await engine.startPool(
      "outbound",
      handler({
        run: async ({ payload }) => {
          const value = Number(payload.value);
          begun.push(value);
          inFlight.add(value);
          if (value === 1 && !isMoved) {
            // Under the other key, 3 is under way already; 2 and 4 wait.
            await waitFor(() => inFlight.has(3), { what: "the other key in flight" });
            isMoved = true;
            inFlight.delete(1);
            return { type: "pause", untilMs: Date.now(), reason: "moved", newKey: "new" };
          }
          if (value === 3) {
            await waitFor(async () => (await keyOf(1)) === "new", { what: "the jobs to be moved" });
            // Whoever wanted to begin beside it could.
            await waitFor(() => begun.includes(9), { what: "a third key" });
          } else if (isMoved && value !== 9) {
            expect([...inFlight]).toEqual([value]);
          }
          inFlight.delete(value);
          return DONE;
        },
      }),
      { slots: 4, laneConcurrency: 8 },
    );
    const keyOf = async (value: number) =>
      (
        await fixture.database.db.query<{ ordering_key: string }>(
          "SELECT ordering_key FROM jobs WHERE lane = $1 AND payload->>'value' = $2",
          [lane, String(value)],
        )
      )[0]?.ordering_key;
    const enqueue = (...jobs: NewJob[]) =>
      fixture.database.db.transaction((tx) => engine.enqueueIn(tx, jobs));
    await enqueue(
      job(lane, "old", 1),
      job(lane, "old", 2),
      job(lane, "new", 3),
      job(lane, "new", 4),
      job(lane, "old", 5),
    );
    await waitFor(async () => (await keyOf(1)) === "new", { what: "the jobs to be moved" });
    await enqueue(job(lane, "third", 9));
    await waitFor(allEnded(lane), { what: "all to be sent" });
    await engine.stop(2_000);
    const order = begun.filter((value) => value !== 9);
    expect(order.slice(0, 2).sort()).toEqual([1, 3]);
    expect(order.slice(2)).toEqual([1, 2, 4, 5]);
    expect(await statesOf(lane)).toEqual(Array(6).fill("completed"));
  });

  test("two keys are one as soon as it is known, though it is not written yet", async () => {
    const lane = randomUUID();
    const engine = fixture.engine();
    const begun: number[] = [];
    const isFirst = () => begun.filter((value) => value === 1).length === 1;
    await engine.startPool(
      "outbound",
      handler(
        {
          run: async ({ payload }) => {
            begun.push(Number(payload.value));
            if (payload.value !== 1 || !isFirst()) return DONE;
            return { type: "pause", untilMs: Date.now(), reason: "moved", newKey: "new" };
          },
        },
        {
          finish: async (_tx, [end]) => {
            if (end?.job.payload.value !== 1 || !isFirst()) return;
            await fixture.database.db.transaction((tx) =>
              engine.enqueueIn(tx, [job(lane, "new", 2), job(lane, "third", 9, { priority: 9 })]),
            );
            // Less urgent than the second: that one could have begun by now.
            await waitFor(() => begun.includes(9), { what: "a third key" });
          },
        },
      ),
      { slots: 4, laneConcurrency: 8 },
    );
    await fixture.database.db.transaction((tx) => engine.enqueueIn(tx, [job(lane, "old", 1)]));
    await waitFor(() => begun.includes(9), { what: "a third key" });
    await waitFor(allEnded(lane), { what: "all to be sent" });
    await engine.stop(2_000);
    expect(begun).toEqual([1, 9, 1, 2]);
  });

  test("many jobs behind a held key do not hide another key", async () => {
    const lane = randomUUID();
    const engine = fixture.engine();
    const jobs = Array.from({ length: 1_000 }, (_, n) => job(lane, "held", n));
    await fixture.database.db.transaction((tx) =>
      engine.enqueueIn(tx, [...jobs, job(lane, "free", -1)]),
    );
    // The held key's head waits for its retry; nothing tells the runner so.
    await fixture.database.db.query(
      `UPDATE jobs SET state = 'retryable', run_at = now() + interval '1 hour'
       WHERE lane = $1 AND id = (SELECT min(id) FROM jobs WHERE lane = $1)`,
      [lane],
    );
    const seen: number[] = [];
    await engine.startPool(
      "outbound",
      handler({
        run: async ({ payload }) => {
          seen.push(Number(payload.value));
          return DONE;
        },
      }),
      { slots: 2 },
    );
    await waitFor(() => seen.length > 0, { what: "the free key" });
    await engine.stop(2_000);
    expect(seen).toEqual([-1]);
  });

  test("a pause spends no attempt, a retry does, and both keep their key's order", async () => {
    const lane = randomUUID();
    const engine = fixture.engine();
    const seen: string[] = [];
    const answers: Outcome[] = [
      { type: "pause", untilMs: Date.now() + 100, reason: "429" },
      { type: "retry", errorClass: "Refused", error: "refused", afterMs: 10 },
      DONE,
      DONE,
    ];
    await engine.startPool(
      "outbound",
      handler({
        run: async ({ payload }) => {
          seen.push(String(payload.value));
          return answers.shift() ?? DONE;
        },
      }),
      { slots: 2 },
    );
    await engine.enqueue(job(lane, "k", 1));
    await engine.enqueue(job(lane, "k", 2));
    await waitFor(allEnded(lane), { what: "both to be sent" });
    await engine.stop(2_000);
    expect(seen).toEqual(["1", "1", "1", "2"]);
    const rows = await fixture.database.db.query(
      "SELECT attempts FROM jobs WHERE lane = $1 ORDER BY id",
      [lane],
    );
    expect(rows).toEqual([{ attempts: 2 }, { attempts: 1 }]);
  });

  test("a head that becomes due at any moment of a drain is never left behind", async () => {
    const lane = randomUUID();
    const engine = fixture.engine();
    let tries = 0;
    await engine.startPool(
      "outbound",
      handler({
        run: async ({ payload }) => {
          // Due again after 0 to 9 ms, while another job of the key stands behind it.
          if (payload.value === 1 && tries < 60) {
            return { type: "retry", errorClass: "Again", error: "again", afterMs: tries++ % 10 };
          }
          return DONE;
        },
      }),
      { slots: 2 },
    );
    await engine.enqueue(job(lane, "k", 1, { maxAttempts: 100 }));
    await engine.enqueue(job(lane, "k", 2));
    await waitFor(allEnded(lane), { what: "both to end", timeoutMs: 20_000 });
    await engine.stop(2_000);
    expect(tries).toBe(60);
  });

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
