import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { createRetention, type RetentionRule, silentLogger } from "../platform/index.ts";
import { insertJobs } from "./enqueue.ts";
import { fileJobs } from "./filing.ts";
import { Ledger } from "./ledger.ts";
import { queueCounts } from "./queue-counts.ts";
import { DEFAULT_JOB_RETENTION, jobRetentionRules } from "./retention.ts";
import { JOB_STATES, type JobState } from "./types.ts";

let database: TestDatabase;
let lane: string;
const workspaceId = randomUUID();
beforeEach(async () => {
  database = await createTestDatabase();
  lane = `${randomUUID()}/c1`;
});
afterEach(() => database.drop());

const retention = (rules: RetentionRule[] = jobRetentionRules(), batchRows = 7) =>
  createRetention({ db: database.db, log: silentLogger, rules, batchRows, pauseMs: 0 });

/** As it goes by itself: what is over has been filed long before it is dropped. */
async function runRetention() {
  await fileJobs(database.db);
  return retention().runOnce();
}

/** Inserts one job with its body and key, and makes it end so many days ago. Answers its id. */
async function endedJob(state: JobState, daysAgo: number, of = lane): Promise<string> {
  const { db } = database;
  const [{ id } = { id: null }] = await insertJobs(db, [
    {
      queue: "ingest",
      lane: of,
      workspaceId,
      kind: "test",
      body: Buffer.from("raw"),
      uniqueKey: randomUUID(),
    },
  ]);
  await db.query(
    `UPDATE jobs SET state = $2, finished_at = CASE WHEN $2 IN ('completed', 'discarded', 'cancelled')
       THEN now() - $3 * interval '1 day' END,
       created_at = now() - $3 * interval '1 day', run_at = now() - $3 * interval '1 day'
     WHERE id = $1`,
    [id, state, daysAgo],
  );
  await db.query(
    `INSERT INTO job_attempts (workspace_id, job_id, attempt, outcome, finished_at)
     VALUES ($1, $2, 1, 'retry', now() - $3 * interval '1 day')`,
    [workspaceId, id, daysAgo],
  );
  await db.query(
    "UPDATE job_bodies SET created_at = now() - $2 * interval '1 day' WHERE job_id = $1",
    [id, daysAgo],
  );
  await db.query(
    `INSERT INTO job_clock (at, last_id) VALUES (now() - $1 * interval '1 day', $2)
     ON CONFLICT (at) DO UPDATE SET last_id = excluded.last_id`,
    [daysAgo, id],
  );
  return id ?? "";
}

const ids = async (table: string, column: string) =>
  (await database.db.query<{ id: string }>(`SELECT ${column} AS id FROM ${table} ORDER BY 1`)).map(
    (row) => row.id,
  );

describe("retention", () => {
  test("finished jobs go after a week with all that is theirs, dead letters after a month", async () => {
    const kept: string[] = [];
    for (const state of JOB_STATES) {
      for (const daysAgo of [60, 20, 1]) {
        const id = await endedJob(state, daysAgo);
        const keepDays = { completed: 7, cancelled: 7, discarded: 30 }[state as string] ?? 1_000;
        if (daysAgo < keepDays) kept.push(id);
      }
    }
    const dropped = await runRetention();
    expect(await ids("jobs", "id")).toEqual(kept);
    expect(dropped).toMatchObject({ "completed jobs": 2, "cancelled jobs": 2, "dead letters": 1 });
    // What is unfinished keeps its attempts and its body, whatever its age; so does a dead letter.
    expect(await ids("job_attempts", "job_id")).toEqual(kept);
    expect(await ids("job_bodies", "job_id")).toEqual(kept);
    const counts = await queueCounts(database.db);
    expect(counts.ingest).toMatchObject({ available: 3, running: 3, retryable: 3, completed: 1 });
  });

  test("raw updates and attempts of completed jobs go before their jobs", async () => {
    const id = await endedJob("completed", 5);
    const dead = await endedJob("discarded", 5);
    const keep = { ...DEFAULT_JOB_RETENTION, attemptsMs: 4 * 86_400_000 };
    const dropped = await retention(jobRetentionRules(keep)).runOnce();
    expect(dropped).toMatchObject({ "raw updates": 1, attempts: 1, "completed jobs": 0 });
    expect(await ids("jobs", "id")).toEqual([id, dead]);
    expect(await ids("job_bodies", "job_id")).toEqual([dead]);
    expect(await ids("job_attempts", "job_id")).toEqual([dead]);
  });

  test("hundreds go in batches, past those that must stay", async () => {
    await insertJobs(
      database.db,
      Array.from({ length: 300 }, () => ({
        queue: "ingest" as const,
        lane,
        workspaceId,
        kind: "test",
        body: Buffer.from("raw"),
      })),
    );
    await database.db.query(
      `UPDATE jobs SET state = 'completed', created_at = now() - interval '9 days',
         finished_at = now() - CASE WHEN id % 10 = 0 THEN interval '1 hour' ELSE interval '9 days' END`,
    );
    const batches: number[] = [];
    const counted = jobRetentionRules().map((rule) => ({
      ...rule,
      dropBatch: async (...args: Parameters<RetentionRule["dropBatch"]>) => {
        const result = await rule.dropBatch(...args);
        batches.push(result.rows);
        return result;
      },
    }));
    await fileJobs(database.db);
    await retention(counted, 50).runOnce();
    expect(Math.max(...batches)).toBeLessThanOrEqual(50);
    expect(await ids("jobs", "id % 10")).toEqual(Array(30).fill("0"));
  });

  test("keys: of updates between two days and a week, of others much longer", async () => {
    const { db } = database;
    const ages = [1, 47, 73, 24 * 20, 24 * 61];
    for (const queue of ["ingest", "schedule"]) {
      for (const hours of ages) {
        await db.query(
          "INSERT INTO job_keys (queue, key, created_at) VALUES ($1, $2, now() - $3 * interval '1 h')",
          [queue, `k${hours}`, hours],
        );
      }
    }
    // One row a batch: a rule gets past the keys that are not its own.
    await retention(jobRetentionRules(), 1).runOnce();
    expect(await ids("job_keys", "queue || ' ' || key")).toEqual([
      "ingest k1",
      "ingest k47",
      "schedule k1",
      "schedule k47",
      "schedule k480",
      "schedule k73",
    ]);
  });

  test("lanes go when nothing of theirs is left: not while held, due, or remembered by a job", async () => {
    const { db } = database;
    const lanes = ["idle", "held", "due", "finished", "waiting"].map((name) => ({
      name,
      lane: `${randomUUID()}/c1`,
    }));
    const bot = randomUUID();
    for (const { name, lane: of } of [...lanes, { name: "bot", lane: bot }]) {
      const id = await endedJob(name === "waiting" ? "retryable" : "completed", 1, of);
      await db.query("UPDATE lanes SET due_at = NULL WHERE lane = $1", [of]);
      if (["idle", "held", "due"].includes(name)) {
        await db.query("DELETE FROM jobs WHERE id = $1", [id]);
      }
      if (name === "due") await db.query("UPDATE lanes SET due_at = now() WHERE lane = $1", [of]);
      if (name === "held") {
        await db.query(
          "UPDATE lanes SET owner = gen_random_uuid(), lease_until = now() WHERE lane = $1",
          [of],
        );
      }
    }
    // Neither what is filed nor what is not: both remember their lane.
    expect(await retention().runOnce()).toMatchObject({ "idle lanes": 1 });
    expect(await runRetention()).toMatchObject({ "idle lanes": 0 });
    const left = await ids("lanes", "lane");
    expect(left).toEqual(
      [...lanes.filter(({ name }) => name !== "idle").map((known) => known.lane), bot].sort(),
    );
    // A lane that comes back is a lane like any other.
    const idle = lanes[0]?.lane ?? "";
    await insertJobs(db, [{ queue: "ingest", lane: idle, workspaceId, kind: "test" }]);
    expect(await db.query("SELECT seq FROM lanes WHERE lane = $1", [idle])).toEqual([{ seq: "1" }]);
  });

  test("an insert that waits for a lane being dropped makes it anew; one that was faster keeps it", async () => {
    const { db } = database;
    const one = () => insertJobs(db, [{ queue: "ingest", lane, workspaceId, kind: "test" }]);
    const lanesRule = jobRetentionRules().find((rule) => rule.name === "idle lanes");
    await db.query(
      "INSERT INTO lanes (queue, lane, workspace_id, seq) VALUES ('ingest', $1, $2, 9)",
      [lane, workspaceId],
    );
    let inserting: Promise<unknown> = Promise.resolve();
    await db.transaction(async (tx) => {
      expect(await lanesRule?.dropBatch(tx, 10, null)).toMatchObject({ rows: 1 });
      inserting = one();
      await waitFor(
        async () =>
          (
            await database.owner.query(
              "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '/* jobs.enqueue%'",
            )
          ).length > 0,
        { what: "the insert to wait" },
      );
    });
    await inserting;
    expect(await db.query("SELECT seq, due_at <= now() AS due FROM lanes")).toEqual([
      { seq: "1", due: true },
    ]);
    await db.query("DELETE FROM jobs");
    await db.query("UPDATE lanes SET due_at = NULL");
    await db.transaction(async (tx) => {
      await insertJobs(tx, [{ queue: "ingest", lane, workspaceId, kind: "test" }]);
      expect(await runRetention()).toMatchObject({ "idle lanes": 0 });
    });
    expect(await ids("lanes", "lane")).toEqual([lane]);
  });

  test("a dead letter that is retried at the same moment stays", async () => {
    const { db } = database;
    const id = await endedJob("discarded", 60);
    const ledger = new Ledger({
      db,
      wake: () => {},
      hooks: {
        ingest: {
          retried: async () => {
            expect(await runRetention()).toMatchObject({ "dead letters": 0 });
          },
        },
      },
    });
    expect(await ledger.retry({ id })).toBe(1);
    await runRetention();
    expect(await ids("jobs", "id")).toEqual([id]);
    expect(await ids("job_bodies", "job_id")).toEqual([id]);
  });

  test("one process at a time; a rule that fails does not keep the others from their turn", async () => {
    const { db } = database;
    let order: string[] = [];
    const rule = (name: string, drop: () => Promise<void>): RetentionRule => ({
      name,
      dropBatch: async () => {
        order.push(name);
        await drop();
        return { rows: 1, place: null };
      },
    });
    const failing = rule("failing", async () => {
      throw new Error("on purpose");
    });
    const meanwhile = rule("meanwhile", async () => {
      const other = createRetention({
        db,
        log: silentLogger,
        rules: [rule("other", async () => {})],
      });
      expect(await other.runOnce()).toEqual({ other: 0 });
    });
    expect(await retention([failing, meanwhile]).runOnce()).toEqual({ meanwhile: 1 });
    expect(order).toEqual(["failing", "meanwhile"]);
    // The services of several processes: a rule has one turn in its time.
    order = [];
    const services = Array.from({ length: 3 }, () =>
      createRetention({
        db,
        log: silentLogger,
        rules: [rule("turn", async () => {})],
        lookEveryMs: 10,
      }),
    );
    for (const service of services) service.start();
    await waitFor(() => order.length > 0, { what: "the turn" });
    await waitFor(
      async () =>
        (await db.query("SELECT 1 FROM turns WHERE name = 'retention: turn'")).length === 1,
    );
    await Promise.all(services.map((service) => service.stop()));
    expect(order).toEqual(["turn"]);
  });

  test("who waited for another process's turn does not take it again", async () => {
    const { db } = database;
    let turns = 0;
    const waiting = createRetention({
      db,
      log: silentLogger,
      rules: [
        {
          name: "waited for",
          dropBatch: async () => {
            turns++;
            return { rows: 0, place: null };
          },
        },
      ],
      lookEveryMs: 1,
    });
    await db.transaction(async (other) => {
      const turnAt = "INSERT INTO turns VALUES ('retention: waited for', now())";
      await other.query(turnAt);
      waiting.start();
      const blocked =
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%turns.take%'";
      await waitFor(
        async () =>
          (await database.owner.query(`${blocked} AND wait_event_type = 'Lock'`)).length === 1,
        { what: "a process that waits for the turn" },
      );
      // The turn is taken at a time at which the other had begun to wait.
      await other.query("UPDATE turns SET taken_at = clock_timestamp()");
    });
    await waitFor(
      async () => {
        const sql = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        return (await database.owner.query(`${sql} AND datname = current_database()`)).length === 0;
      },
      { what: "the end of the wait" },
    );
    await waiting.stop();
    expect(turns).toBe(0);
  });
});
