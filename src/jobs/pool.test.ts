import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { EFFECTS_TABLE, type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { backends } from "../../test/support/requirements.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { Discard, type Jobs, type NewJob, Retry, type TransactionalHandler } from "./index.ts";

const SLOTS = { slots: 20 };
/** The lane has no holder, and is due in the future: its head waits. */
const HANDED_BACK =
  "SELECT 1 FROM lanes WHERE lane = $1 AND owner IS NULL AND due_at > now() + interval '1 min'";

describe.each(backends)("a pool of transactional work on $name", (backend) => {
  let fixture: JobsFixture;
  beforeAll(async () => {
    fixture = await jobsFixture(backend);
    await fixture.database.owner.query(EFFECTS_TABLE);
  });
  afterAll(() => fixture.close());

  const job = (lane: string, value: number, more: Partial<NewJob> = {}) =>
    fixture.job(lane, value, more);

  /** Writes one effect a job, set-based. `check` may throw for a job, as its own bug would. */
  const handler = (check: (value: number) => void = () => {}): TransactionalHandler => ({
    mode: "transactional",
    run: async (tx, lanes) => {
      const effects = lanes.flatMap(({ lane, jobs }) =>
        jobs.map(({ payload }) => ({ lane, value: Number(payload.value) })),
      );
      for (const { value } of effects) check(value);
      await tx.query(
        `INSERT INTO effects (lane, value)
         SELECT lane, value FROM unnest($1::text[], $2::int[]) WITH ORDINALITY AS e(lane, value, n)
         ORDER BY n`,
        [effects.map((effect) => effect.lane), effects.map((effect) => effect.value)],
      );
    },
  });

  const effectsOf = async (prefix: string) =>
    fixture.database.db.query<{ lane: string; value: number }>(
      "SELECT lane, value FROM effects WHERE lane LIKE $1 || '%' ORDER BY n",
      [prefix],
    );

  const allDone = (prefix: string) => async () => {
    const rows = await fixture.database.db.query(
      `SELECT 1 FROM jobs WHERE lane LIKE $1 || '%'
         AND state IN ('available', 'running', 'retryable') LIMIT 1`,
      [prefix],
    );
    return rows.length === 0;
  };

  async function withPool(
    run: (engine: Jobs) => Promise<void>,
    work = handler(),
    size = SLOTS,
  ): Promise<void> {
    const engine = fixture.engine();
    await engine.startPool("ingest", work, size);
    try {
      await run(engine);
    } finally {
      await engine.stop(2_000);
    }
  }

  test("10,000 jobs of 200 lanes, with duplicates, by two workers: each once, in order per lane", async () => {
    const lanes = 200;
    const perLane = 50;
    const sender = fixture.engine();
    const workers = [fixture.engine(), fixture.engine()];
    for (const worker of workers) await worker.startPool("ingest", handler(), { slots: 50 });
    const send = (lane: number, value: number) =>
      sender.enqueue(job(`many/${lane}`, value, { uniqueKey: `many/${lane}/${value}` }));
    await Promise.all(
      Array.from({ length: lanes }, async (_, lane) => {
        for (let value = 0; value < perLane; value++) {
          // Every third is delivered twice, as a lost answer would have it.
          const twice = value % 3 === 0 ? [send(lane, value)] : [];
          await Promise.all([send(lane, value), ...twice]);
        }
      }),
    );
    await waitFor(allDone("many/"), { timeoutMs: 60_000, what: "all jobs to be done" });
    await Promise.all([...workers, sender].map((engine) => engine.stop(2_000)));
    const byLane = new Map<string, number[]>();
    for (const { lane, value } of await effectsOf("many/")) {
      byLane.set(lane, [...(byLane.get(lane) ?? []), value]);
    }
    expect(byLane.size).toBe(lanes);
    const expected = Array.from({ length: perLane }, (_, value) => value);
    for (const values of byLane.values()) expect(values).toEqual(expected);
  }, 120_000);

  test("a poisoned job among good ones of its own lane: retried, then a dead letter; the order holds", async () => {
    let tries = 0;
    const poisoned = handler((value) => {
      if (value !== 2) return;
      tries++;
      throw new Retry("poisoned", 1);
    });
    await withPool(async (engine) => {
      for (let value = 0; value < 5; value++) {
        await engine.enqueue(job("poison/a", value, { maxAttempts: 3 }));
        await engine.enqueue(job("poison/b", value));
      }
      await waitFor(allDone("poison/"), { what: "both lanes to end" });
    }, poisoned);
    const values = (await effectsOf("poison/a")).map((effect) => effect.value);
    expect(values).toEqual([0, 1, 3, 4]);
    // Lane b carries the same poison; its neighbour's dead letter changed nothing for it.
    expect(tries).toBeGreaterThanOrEqual(3);
    const [dead] = await fixture.database.db.query(
      `SELECT state, attempts, error_class, error FROM jobs
       WHERE lane = 'poison/a' AND (payload->>'value')::int = 2`,
    );
    expect(dead).toMatchObject({ state: "discarded", attempts: 3, error_class: "Retry" });
    const attempts = await fixture.database.db.query(
      `SELECT a.attempt FROM job_attempts a JOIN jobs j ON j.workspace_id = a.workspace_id
         AND j.id = a.job_id WHERE j.lane = 'poison/a' ORDER BY a.id`,
    );
    expect(attempts).toEqual([{ attempt: 1 }, { attempt: 2 }, { attempt: 3 }]);
  });

  test("a head that waits for its retry holds its lane, and only its lane", async () => {
    const failing = handler((value) => {
      if (value === 7) throw new Retry("not yet", 3_600_000);
    });
    await withPool(async (engine) => {
      await engine.enqueue(job("hold/a", 7));
      await engine.enqueue(job("hold/a", 8));
      await engine.enqueue(job("hold/b", 9));
      await waitFor(allDone("hold/b"), { what: "the other lane" });
      await waitFor(
        async () => (await fixture.database.db.query(HANDED_BACK, ["hold/a"])).length === 1,
        { what: "the held lane to be handed back" },
      );
    }, failing);
    expect(await effectsOf("hold/")).toEqual([{ lane: "hold/b", value: 9 }]);
  });

  test("a dead letter is retried by hand, or left; a waiting job is discarded by hand", async () => {
    let healed = false;
    const work = handler((value) => {
      if (value === 5 && !healed) throw new Discard("never");
    });
    await withPool(async (engine) => {
      const { id } = await engine.enqueue(job("hand/a", 5));
      await waitFor(allDone("hand/a"), { what: "the job to be discarded" });
      expect(await effectsOf("hand/a")).toEqual([]);
      healed = true;
      expect(await engine.ledger.retry({ id: id ?? "", workspaceId: fixture.workspaceId })).toBe(1);
      await waitFor(async () => (await effectsOf("hand/a")).length === 1, { what: "the retry" });
      // A job that is not dead is not retried, and nobody's job is retried for another workspace.
      expect(await engine.ledger.retry({ id: id ?? "" })).toBe(0);
      const future = new Date(Date.now() + 3_600_000);
      const later = await engine.enqueue(job("hand/b", 6, { runAt: future }));
      const foreign = { id: later.id ?? "", workspaceId: "00000000-0000-4000-8000-000000000000" };
      expect(await engine.ledger.discard(foreign)).toBe(0);
      expect(await engine.ledger.discard({ id: later.id ?? "" })).toBe(1);
    }, work);
    expect(await effectsOf("hand/b")).toEqual([]);
  });

  test("a job that waits for its time runs at its time", async () => {
    await withPool(async (engine) => {
      const runAt = new Date(Date.now() + 400);
      await engine.enqueue(job("time/a", 1, { runAt }));
      await waitFor(allDone("time/a"), { what: "the scheduled job" });
      const [row] = await fixture.database.db.query<{ early: boolean }>(
        "SELECT finished_at < run_at AS early FROM jobs WHERE lane = 'time/a'",
      );
      expect(row?.early).toBe(false);
    });
  });

  test("a job that came to run at once does so after Postgres's clock went back, and before the next", async () => {
    const sender = fixture.engine();
    await sender.enqueue(job("back/a", 1));
    await fixture.database.db.query(
      `UPDATE jobs SET run_at = run_at + interval '1 h', created_at = created_at + interval '1 h'
       WHERE lane = 'back/a'`,
    );
    await fixture.database.db.query(
      "UPDATE lanes SET due_at = due_at + interval '1 h' WHERE lane = 'back/a'",
    );
    await sender.enqueue(job("back/a", 2));
    await withPool(async () => {
      await waitFor(allDone("back/"), { what: "both" });
    });
    expect((await effectsOf("back/")).map((effect) => effect.value)).toEqual([1, 2]);
  });

  test("lost wakes cost time, not data: what nobody was told of is swept up", async () => {
    const silent = fixture.engine();
    const { db } = fixture.database;
    await withPool(async () => {
      // Committed by a process that died before its wake left.
      await db.transaction(async (tx) => {
        await silent.enqueueIn({ ...tx, afterCommit: () => {} }, [job("lost/a", 1)]);
      });
      await waitFor(allDone("lost/"), { what: "the sweep" });
    });
    expect(await effectsOf("lost/")).toHaveLength(1);
  });

  test("a hot lane yields its turn: with one slot, a quiet lane still gets it", async () => {
    const engine = fixture.engine({ turnMs: 50 });
    const sender = fixture.engine();
    let stop = false;
    let sent = 0;
    await engine.startPool("ingest", handler(), { slots: 1 });
    const flood = (async () => {
      while (!stop) {
        await Promise.all(Array.from({ length: 100 }, () => sender.enqueue(job("hot/a", sent++))));
      }
    })();
    try {
      await waitFor(async () => (await effectsOf("hot/a")).length > 0, { what: "the hot lane" });
      await sender.enqueue(job("hot/quiet", 1));
      await waitFor(async () => (await effectsOf("hot/quiet")).length === 1, {
        what: "the quiet lane to get its turn",
      });
    } finally {
      stop = true;
      await flood;
      await engine.stop(2_000);
      await fixture.database.db.query(
        "UPDATE jobs SET state = 'cancelled' WHERE lane = 'hot/a' AND state = 'available'",
      );
    }
  });

  test("a shutdown hands back what was not begun, and spends no attempt for it", async () => {
    const engine = fixture.engine();
    let release: () => void = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let begun: () => void = () => {};
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const plain = handler();
    await engine.startPool(
      "ingest",
      {
        mode: "transactional",
        run: async (tx, lanes) => {
          begun();
          await released;
          await plain.run(tx, lanes);
        },
      },
      { slots: 1 },
    );
    await engine.enqueue(job("stop/a", 0));
    await hasBegun;
    for (let value = 1; value < 4; value++) await engine.enqueue(job("stop/b", value));
    const stopped = engine.stop(5_000);
    release();
    await stopped;
    const rows = await fixture.database.db.query(
      `SELECT j.attempts, j.state, l.owner FROM jobs j JOIN lanes l ON l.queue = j.queue
         AND l.lane = j.lane WHERE j.lane LIKE 'stop/%' ORDER BY j.id`,
    );
    expect(rows[0]).toMatchObject({ state: "completed", attempts: 1, owner: null });
    for (const row of rows.slice(1)) {
      expect(row).toEqual({ state: "available", attempts: 0, owner: null });
    }
    await withPool(async () => {
      await waitFor(allDone("stop/"), { what: "the next worker" });
    });
    expect((await effectsOf("stop/")).map((effect) => effect.value)).toEqual([0, 1, 2, 3]);
  });

  test("a job in whose hands workers die is run alone, and discarded after three deaths", async () => {
    const { db } = fixture.database;
    const sender = fixture.engine();
    await sender.enqueue(job("death/a", 1));
    await sender.enqueue(job("death/a", 2));
    // What three crashes leave behind: the lane leased by nobody alive, its head marked running.
    await db.query(
      `UPDATE jobs SET state = 'running', deaths = 2 WHERE lane = 'death/a'
         AND (payload->>'value')::int = 1`,
    );
    await db.query(
      `UPDATE lanes SET owner = gen_random_uuid(), lease_until = now() - interval '1 s'
       WHERE lane = 'death/a'`,
    );
    await withPool(async () => {
      await waitFor(allDone("death/"), { what: "the lane to go on" });
    });
    expect((await effectsOf("death/")).map((effect) => effect.value)).toEqual([2]);
    const [dead] = await db.query(
      "SELECT state, deaths, error_class FROM jobs WHERE lane = 'death/a' ORDER BY id LIMIT 1",
    );
    expect(dead).toEqual({ state: "discarded", deaths: 3, error_class: "WorkerDied" });
  });
});
