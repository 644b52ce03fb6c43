import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { EFFECTS_TABLE, type JobsFixture, jobsFixture } from "../../test/support/jobs.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type {
  ExternalHandler,
  Job,
  JobState,
  Jobs,
  NewJob,
  TransactionalHandler,
} from "./index.ts";

const LATER = new Date(Date.now() + 3_600_000);

/** Changes by hand, against the drains that hold the lanes and against each other. */
let fixture: JobsFixture;
let engine: Jobs;
let lane: string;
beforeAll(async () => {
  fixture = await jobsFixture({ name: "postgres", redisUrl: undefined });
  await fixture.database.owner.query(EFFECTS_TABLE);
});
afterAll(() => fixture.close());
beforeEach(() => {
  lane = randomUUID();
  engine = fixture.engine();
});
afterEach(() => engine.stop(1_000));

const job = (value: number, more: Partial<NewJob> = {}) => fixture.job(lane, value, more);

/** Inserts without waking anybody but those who are told. */
const enqueue = async (jobs: NewJob[]) => {
  const results = await fixture.database.db.transaction((tx) => engine.enqueueIn(tx, jobs));
  return results.map((result) => result.id ?? "");
};

const states = async () =>
  (
    await fixture.database.db.query<{ state: JobState }>(
      "SELECT state FROM jobs WHERE lane = $1 ORDER BY id",
      [lane],
    )
  ).map((row) => row.state);

const until = (wanted: JobState[]) =>
  waitFor(async () => JSON.stringify(await states()) === JSON.stringify(wanted), {
    what: wanted.join(", "),
  });

const effects = async () =>
  (
    await fixture.database.db.query<{ value: number }>(
      "SELECT value FROM effects WHERE lane = $1 ORDER BY n",
      [lane],
    )
  ).map((row) => row.value);

/** Work whose `before` may hold a commit up. */
const work = (before: (jobs: Job[]) => Promise<void> = async () => {}): TransactionalHandler => ({
  mode: "transactional",
  run: async (tx, lanes) => {
    await before(lanes.flatMap(({ jobs }) => jobs));
    for (const { lane: name, jobs } of lanes) {
      for (const { payload } of jobs) {
        await tx.query("INSERT INTO effects (lane, value) VALUES ($1, $2)", [name, payload.value]);
      }
    }
  },
});

const failedHead = (id: string | undefined) =>
  fixture.database.db.query(
    `WITH head AS (
       UPDATE jobs SET state = 'retryable', attempts = 1, run_at = now() + interval '1 hour'
       WHERE lane = $1 AND id = $2
     )
     UPDATE lanes SET due_at = now() + interval '1 hour' WHERE lane = $1`,
    [lane, id],
  );

describe("by hand", () => {
  test.each(["cancel", "discard"] as const)(
    "%s the head of a strict lane that waits for its retry: the lane goes on at once",
    async (action) => {
      const [head] = await enqueue([job(1), job(2), job(3)]);
      await failedHead(head);
      await engine.startPool("ingest", work(), { slots: 2 });
      expect(await engine.ledger[action]({ id: head ?? "" })).toBe(1);
      await until([action === "cancel" ? "cancelled" : "discarded", "completed", "completed"]);
      expect(await effects()).toEqual([2, 3]);
    },
  );

  test("a lane that somebody has locked holds neither the change of the others nor what they do", async () => {
    const { db } = fixture.database;
    const workspaceId = randomUUID();
    const lanes = ["a", "b", "z"].map((name) => `${name}/${lane}`);
    await enqueue(lanes.map((name, value) => job(value, { lane: name, workspaceId })));
    const holder = await db.connect();
    try {
      await holder.query("BEGIN");
      await holder.query("SELECT FROM lanes WHERE lane = $1 FOR UPDATE", [lanes[2]]);
      const changing = engine.ledger.change("cancel", { workspaceId });
      expect(await changing).toEqual({
        changed: 2,
        running: { count: 0, capped: false },
        left: { count: 1, capped: false },
      });
      // Nothing of theirs is locked any more.
      await enqueue([job(3, { lane: lanes[0], workspaceId })]);
      await holder.query("COMMIT");
      expect(await engine.ledger.cancel({ workspaceId })).toBe(2);
    } finally {
      await holder.end();
    }
  });

  test("run now: what waits for its retry or its time is due, and no attempt is spent for it", async () => {
    const [head] = await enqueue([job(1), job(2, { runAt: LATER })]);
    await failedHead(head);
    await engine.startPool("ingest", work(), { slots: 2 });
    const which = { lane, states: ["scheduled", "retryable"] as const };
    expect(await engine.ledger.countMatching(which, "runNow")).toEqual({ count: 2, capped: false });
    expect(await engine.ledger.runNow(which)).toBe(2);
    await until(["completed", "completed"]);
    expect(await effects()).toEqual([1, 2]);
    const rows = await fixture.database.db.query(
      "SELECT attempts FROM jobs WHERE lane = $1 ORDER BY id",
      [lane],
    );
    expect(rows).toEqual([{ attempts: 2 }, { attempts: 1 }]);
    expect(await engine.ledger.runNow({ lane })).toBe(0);
  });

  test("what runs is left alone, and counted so; a retry does not touch it either", async () => {
    let finish: () => void = () => {};
    const done = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const external: ExternalHandler = {
      mode: "external",
      open: async () => ({
        run: async () => {
          await done;
          return { type: "complete" };
        },
      }),
    };
    const [first] = await enqueue([
      job(1, { queue: "outbound", orderingKey: "a" }),
      job(2, { queue: "outbound", orderingKey: "a" }),
    ]);
    await engine.startPool("outbound", external, { slots: 2 });
    await until(["running", "available"]);
    expect(await engine.ledger.cancel({ id: first ?? "" })).toBe(0);
    expect(await engine.ledger.retry({ id: first ?? "" })).toBe(0);
    expect(await engine.ledger.change("cancel", { lane })).toEqual({
      changed: 1,
      running: { count: 1, capped: false },
      left: { count: 0, capped: false },
    });
    finish();
    await until(["completed", "cancelled"]);
  });

  test("cancelled while a drain commits it: its effect is rolled back, the others take place once", async () => {
    let go: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    let claimed = 0;
    const held = work(async (jobs) => {
      claimed = Math.max(claimed, jobs.length);
      await gate;
    });
    const [, second] = await enqueue([job(1), job(2), job(3)]);
    await engine.startPool("ingest", held, { slots: 2 });
    await waitFor(() => claimed === 3, { what: "the claim" });
    expect(await engine.ledger.cancel({ id: second ?? "" })).toBe(1);
    go();
    await until(["completed", "cancelled", "completed"]);
    expect(await effects()).toEqual([1, 3]);
  });

  test("two operators at once: each job is changed once, whatever the order they meet in", async () => {
    const lanes = Array.from({ length: 40 }, () => randomUUID());
    const connector = randomUUID();
    await enqueue(
      Array.from({ length: 400 }, (_, n) =>
        job(n, { lane: `${connector}/${lanes[(n * 7) % 40]}`, runAt: LATER }),
      ),
    );
    const mine = { connectorId: connector };
    const changed = await Promise.all([
      engine.ledger.cancel(mine),
      engine.ledger.discard(mine),
      engine.ledger.cancel(mine),
    ]);
    expect(changed.reduce((sum, count) => sum + count, 0)).toBe(400);
    const again = { ...mine, states: ["discarded", "cancelled"] as const };
    const retried = await Promise.all([engine.ledger.retry(again), engine.ledger.retry(again)]);
    expect(retried.reduce((sum, count) => sum + count, 0)).toBe(400);
    expect(await engine.ledger.countMatching(mine, "cancel")).toEqual({
      count: 400,
      capped: false,
    });
    expect(await engine.ledger.cancel(mine)).toBe(400);
  });

  test("a limit takes the oldest, and says what is left", async () => {
    const ids = await enqueue(Array.from({ length: 600 }, (_, n) => job(n, { runAt: LATER })));
    const cancelled = await engine.ledger.change("cancel", { lane }, { limit: 300 });
    expect(cancelled).toEqual({
      changed: 300,
      running: { count: 0, capped: false },
      left: { count: 300, capped: false },
    });
    const rows = await fixture.database.db.query<{ id: string }>(
      "SELECT id FROM jobs WHERE lane = $1 AND state = 'cancelled' ORDER BY id",
      [lane],
    );
    expect(rows.map((row) => row.id)).toEqual(ids.slice(0, 300));
  });

  test("another tenant's jobs are no jobs", async () => {
    const [id] = await enqueue([job(1, { runAt: LATER })]);
    const workspaceId = randomUUID();
    for (const action of ["retry", "discard", "cancel", "runNow"] as const) {
      expect(await engine.ledger[action]({ id: id ?? "", workspaceId })).toBe(0);
      expect(await engine.ledger[action]({ lane, workspaceId })).toBe(0);
      expect(await engine.ledger.countMatching({ lane, workspaceId }, action)).toEqual({
        count: 0,
        capped: false,
      });
    }
    expect(await states()).toEqual(["available"]);
  });

  test("many are retried that are dead letters; cancelled ones only where they are named", async () => {
    const [first = ""] = await enqueue([1, 2, 3, 4].map((n) => job(n, { runAt: LATER })));
    await engine.ledger.change("cancel", { lane }, { limit: 3 });
    await engine.ledger.discard({ lane });
    expect(await engine.ledger.countMatching({ lane }, "retry")).toMatchObject({ count: 1 });
    expect(await engine.ledger.change("retry", { lane })).toMatchObject({
      changed: 1,
      left: { count: 0 },
    });
    expect(await states()).toEqual(["cancelled", "cancelled", "cancelled", "available"]);
    expect(await engine.ledger.retry({ id: first })).toBe(1);
    expect(await engine.ledger.retry({ lane, states: ["cancelled"] })).toBe(2);
    expect(await states()).toEqual(Array(4).fill("available"));
  });

  test("states that are named narrow what an action is for, and never widen it", async () => {
    await enqueue([job(1), job(2, { runAt: LATER })]);
    expect(await engine.ledger.retry({ lane, states: ["available", "scheduled"] })).toBe(0);
    expect(await engine.ledger.cancel({ lane, states: ["scheduled", "running"] })).toBe(1);
    expect(await engine.ledger.cancel({ lane, states: [] })).toBe(0);
    expect(await states()).toEqual(["available", "cancelled"]);
  });

  test("a room that cannot follow a change undoes it", async () => {
    const told: string[] = [];
    const hooked = fixture.engine({
      hooks: {
        ingest: {
          cancelled: async (_tx, jobs) => {
            throw new Error(`no: ${jobs.length}`);
          },
          ranNow: async (_tx, jobs) => void told.push(...jobs.map((changed) => changed.id)),
        },
      },
    });
    const [id] = await enqueue([job(1, { runAt: LATER })]);
    await expect(hooked.ledger.cancel({ id: id ?? "" })).rejects.toThrow("no: 1");
    expect(await states()).toEqual(["available"]);
    expect(await hooked.ledger.runNow({ id: id ?? "" })).toBe(1);
    expect(told).toEqual([id]);
  });
});
