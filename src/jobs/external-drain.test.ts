import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { outsideWork } from "../../test/support/outside-work.ts";
import { backends } from "../../test/support/requirements.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { Job, LaneRunner, NewJob, Outcome } from "./index.ts";

const DONE: Outcome = { type: "complete" };

describe.each(backends)("a pool of outside work on $name", (backend) => {
  let fixture: JobsFixture;
  beforeAll(async () => {
    fixture = await jobsFixture(backend);
  });
  afterAll(() => fixture.close());

  const { job, handler, statesOf, allEnded } = outsideWork(() => fixture);

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
});
