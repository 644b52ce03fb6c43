import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { openDatabase } from "../platform/index.ts";
import { createEnqueuer, insertJobs } from "./enqueue.ts";
import type { NewJob } from "./types.ts";

let database: TestDatabase;
const workspaceId = randomUUID();
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const job = (lane: string, value: number, more: Partial<NewJob> = {}): NewJob => ({
  queue: "ingest",
  lane,
  workspaceId,
  kind: "test",
  payload: { value },
  ...more,
});

async function valuesOf(lane: string): Promise<number[]> {
  const rows = await database.db.query<{ value: number }>(
    "SELECT (payload->>'value')::int AS value FROM jobs WHERE lane = $1 ORDER BY id",
    [lane],
  );
  return rows.map((row) => row.value);
}

describe("enqueue", () => {
  test("numbers the jobs of a lane in arrival order, whatever their lanes sort like", async () => {
    const lanes = ["order/b", "order/a"];
    const jobs = Array.from({ length: 50 }, (_, n) => job(lanes[n % 2] as string, n));
    const results = await insertJobs(database.db, jobs);
    expect(results.every((result) => result.id !== null)).toBe(true);
    expect(await valuesOf("order/b")).toEqual(Array.from({ length: 25 }, (_, n) => n * 2));
    expect(await valuesOf("order/a")).toEqual(Array.from({ length: 25 }, (_, n) => n * 2 + 1));
  });

  test("a unique key makes one job: in one batch, and against earlier ones", async () => {
    const lane = "unique/a";
    const first = await insertJobs(database.db, [
      job(lane, 1, { uniqueKey: "k1" }),
      job(lane, 2, { uniqueKey: "k1" }),
      job(lane, 3, { uniqueKey: "k2" }),
    ]);
    expect(first.map((result) => result.duplicate)).toEqual([false, true, false]);
    const [again] = await insertJobs(database.db, [job(lane, 4, { uniqueKey: "k2" })]);
    expect(again).toEqual({ id: null, duplicate: true });
    expect(await valuesOf(lane)).toEqual([1, 3]);
    // Another queue has keys of its own.
    const [other] = await insertJobs(database.db, [
      job("unique/b", 5, { queue: "evidence", uniqueKey: "k1" }),
    ]);
    expect(other?.duplicate).toBe(false);
  });

  test("a duplicate touches no lane: nothing becomes due for it", async () => {
    await insertJobs(database.db, [job("untouched/a", 1, { uniqueKey: "u1" })]);
    await insertJobs(database.db, [job("untouched/b", 1, { uniqueKey: "u1" })]);
    const lanes = await database.db.query("SELECT 1 FROM lanes WHERE lane = 'untouched/b'");
    expect(lanes).toEqual([]);
  });

  test("raises seq and lowers due_at; a job of the future does not make its lane due now", async () => {
    const lane = "due/a";
    await insertJobs(database.db, [job(lane, 1, { runAt: new Date(Date.now() + 3_600_000) })]);
    const read = async () =>
      (
        await database.db.query<{ seq: string; due: boolean }>(
          "SELECT seq, due_at <= now() AS due FROM lanes WHERE lane = $1",
          [lane],
        )
      )[0];
    expect(await read()).toEqual({ seq: "1", due: false });
    await insertJobs(database.db, [job(lane, 2)]);
    expect(await read()).toEqual({ seq: "2", due: true });
    await insertJobs(database.db, [job(lane, 3, { runAt: new Date(Date.now() + 3_600_000) })]);
    expect(await read()).toEqual({ seq: "3", due: true });
  });

  test("the body keeps its bytes, NUL and lone surrogates too", async () => {
    const body = Buffer.from([0, 0xed, 0xa0, 0x80, 0xff, 0x5c, 0x22]);
    const [result] = await insertJobs(database.db, [job("body/a", 1, { body })]);
    const rows = await database.db.query<{ body: Buffer }>(
      "SELECT body FROM job_bodies WHERE workspace_id = $1 AND job_id = $2",
      [workspaceId, result?.id],
    );
    expect(rows[0]?.body.equals(body)).toBe(true);
  });

  test("inside a caller's transaction: wakes leave after the commit, never after a rollback", async () => {
    const woken: string[] = [];
    const enqueuer = createEnqueuer(database.db, (_queue, lanes) => {
      for (const { lane } of lanes) woken.push(lane);
    });
    await database.db.transaction(async (tx) => {
      await enqueuer.enqueueIn(tx, [job("tx/a", 1)]);
      expect(woken).toEqual([]);
    });
    expect(woken).toEqual(["tx/a"]);
    const failed = database.db.transaction(async (tx) => {
      await enqueuer.enqueueIn(tx, [job("tx/b", 1)]);
      throw new Error("changed its mind");
    });
    await expect(failed).rejects.toThrow("changed its mind");
    expect(woken).toEqual(["tx/a"]);
    expect(await valuesOf("tx/b")).toEqual([]);
  });

  test("wakes a lane when it becomes due, and once more when it becomes urgent", async () => {
    const woken: string[] = [];
    const enqueuer = createEnqueuer(database.db, (_queue, lanes) => {
      for (const { lane, urgent } of lanes) woken.push(`${lane} ${urgent ? "urgent" : "plain"}`);
    });
    const send = async (lane: string, urgent: boolean, more: Partial<NewJob> = {}) => {
      woken.length = 0;
      await enqueuer.enqueue(job(lane, 1, { urgent, ...more }));
      return [...woken];
    };
    const isHandedBack = (lane: string) =>
      database.db.query("UPDATE lanes SET due_at = NULL WHERE lane = $1", [lane]);
    const later = { runAt: new Date(Date.now() + 3_600_000) };

    expect(await send("urgent/a", false)).toEqual(["urgent/a plain"]);
    expect(await send("urgent/a", false)).toEqual([]);
    expect(await send("urgent/a", true, later)).toEqual([]);
    expect(await send("urgent/a", true)).toEqual(["urgent/a urgent"]);
    expect(await send("urgent/a", true)).toEqual([]);
    expect(await send("urgent/a", false)).toEqual([]);
    await isHandedBack("urgent/a");
    expect(await send("urgent/a", false)).toEqual(["urgent/a plain"]);
    expect(await send("urgent/a", true)).toEqual(["urgent/a urgent"]);
    await isHandedBack("urgent/a");
    expect(await send("urgent/a", true)).toEqual(["urgent/a urgent"]);
    expect(await send("urgent/a", true)).toEqual([]);

    expect(await send("urgent/new", true)).toEqual(["urgent/new urgent"]);
    expect(await send("urgent/new", true)).toEqual([]);
    expect(await send("urgent/later", true, later)).toEqual([]);
    expect(await send("urgent/later", true)).toEqual(["urgent/later urgent"]);
  });

  test("of urgent jobs that race from several processes for one lane, one wakes it", async () => {
    await insertJobs(database.db, [job("urgent/race", 0)]);
    const other = openDatabase({ url: database.url, max: 4 });
    let wakes = 0;
    const receivers = [database.db, other, database.db].map((db) =>
      createEnqueuer(db, (_queue, lanes) => {
        wakes += [...lanes].length;
      }),
    );
    const urgent = Array.from({ length: 300 }, (_, n) => job("urgent/race", n, { urgent: true }));
    await Promise.all(urgent.map((one, n) => receivers[n % 3]?.enqueue(one)));
    await other.close();
    expect(wakes).toBe(1);
  });

  test("group commit: one refused job does not take its neighbours with it", async () => {
    const enqueuer = createEnqueuer(database.db, () => {});
    const results = await Promise.allSettled([
      enqueuer.enqueue(job("group/a", 1)),
      enqueuer.enqueue(job("a:colon", 2)),
      enqueuer.enqueue(job("group/a", 3)),
    ]);
    expect(results.map((result) => result.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await valuesOf("group/a")).toEqual([1, 3]);
  });

  test("two receivers inserting for the same chats: ids follow commit order, nothing deadlocks", async () => {
    const other = openDatabase({ url: database.url, max: 4 });
    const lanes = Array.from({ length: 8 }, (_, n) => `two/${n}`);
    const receivers = [database.db, other].map((db) => createEnqueuer(db, () => {}));
    // Each receiver sends one job a lane at a time, as Telegram does, and notes when it was answered.
    const answered = new Map<string, string[]>(lanes.map((lane) => [lane, []]));
    await Promise.all(
      receivers.flatMap((receiver) =>
        lanes.map(async (lane) => {
          for (let n = 0; n < 40; n++) {
            const { id } = await receiver.enqueue(job(lane, n));
            answered.get(lane)?.push(id ?? "");
          }
        }),
      ),
    );
    await other.close();
    for (const lane of lanes) {
      const ids = (
        await database.db.query<{ id: string; xmin: string }>(
          "SELECT id FROM jobs WHERE lane = $1 ORDER BY id",
          [lane],
        )
      ).map((row) => row.id);
      expect(ids).toHaveLength(80);
      expect(new Set(ids).size).toBe(80);
      const seq = await database.db.query<{ seq: string }>(
        "SELECT seq FROM lanes WHERE lane = $1",
        [lane],
      );
      expect(Number(seq[0]?.seq)).toBeGreaterThan(0);
    }
  });

  test("a row that a slow transaction inserts later never has the lower id", async () => {
    const lane = "slow/a";
    const slow = await database.db.pool.connect();
    const on = {
      query: async <Row extends object>(sql: string, params?: readonly unknown[]) =>
        (await slow.query(sql, params as unknown[])).rows as Row[],
    };
    await slow.query("BEGIN");
    const [first] = await insertJobs(on, [job(lane, 1)]);
    // The second insert must wait for the lane's row: it cannot draw an id before the first commits.
    const second = insertJobs(database.db, [job(lane, 2)]);
    const race = await Promise.race([second.then(() => "done"), lockWaiters(database)]);
    expect(race).toBe("waiting");
    await slow.query("COMMIT");
    slow.release();
    const [result] = await second;
    expect(BigInt(result?.id ?? 0)).toBeGreaterThan(BigInt(first?.id ?? 0));
  });
});

async function lockWaiters(on: TestDatabase): Promise<"waiting"> {
  for (;;) {
    const rows = await on.owner.query(
      "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
    if (rows.length > 0) return "waiting";
  }
}
