import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { overdueLanes, pauseQueue, resumeQueue } from "./paused-queues.ts";
import { dueLanes } from "./sweep.ts";

const LEASE_MS = 5_000;

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

/** `count` lanes of a workspace, the first due `dueAgoMs` ago, each later one a millisecond after. */
async function addLanes(prefix: string, count: number, dueAgoMs: number): Promise<string> {
  const workspaceId = randomUUID();
  await database.db.query(
    `INSERT INTO lanes (queue, lane, workspace_id, seq, due_at)
     SELECT 'ingest', $1 || '/' || n, $2, 1, now() - ($4 - n) * interval '1 ms'
     FROM generate_series(1, $3) n`,
    [prefix, workspaceId, count, dueAgoMs],
  );
  return workspaceId;
}

const due = (limit: number) => dueLanes(database.db, "ingest", limit, LEASE_MS);

describe("the sweep", () => {
  test("takes workspaces in turn, each one's longest overdue lane first", async () => {
    await addLanes("a", 500, 3_600_000);
    await addLanes("b", 3, 10_000);
    await addLanes("c", 1, 5_000);
    expect(await due(6)).toEqual(["a/1", "b/1", "c/1", "a/2", "b/2", "a/3"]);
  });

  test("leaves out what is not due, held, or of another queue; takes what a dead holder left", async () => {
    await addLanes("future", 50, -3_600_000);
    await addLanes("now", 4, 10_000);
    const set = (lane: string, sql: string) =>
      database.db.query(`UPDATE lanes SET ${sql} WHERE lane = $1`, [lane]);
    const owner = `owner = '${randomUUID()}'`;
    await set("now/1", `${owner}, lease_until = now() + interval '4 s'`);
    await set("now/2", `${owner}, lease_until = now() - interval '1 s'`);
    await set("now/3", `${owner}, lease_until = now() + interval '1 h'`);
    await set("now/4", "queue = 'outbound'");
    expect(await due(10)).toEqual(["now/2", "now/3"]);
    expect(await due(1)).toEqual(["now/2"]);
  });

  test("finds the one lane that is free behind more busy workspaces than it may take lanes", async () => {
    for (let n = 0; n < 40; n++) await addLanes(`busy${n}`, 1, 10_000);
    await database.db.query(
      `UPDATE lanes SET owner = '${randomUUID()}', lease_until = now() + interval '4 s'`,
    );
    await addLanes("free", 1, 1_000);
    expect(await due(8)).toEqual(["free/1"]);
  });

  test("gives one workspace all it may take when nobody else waits", async () => {
    await addLanes("a", 500, 3_600_000);
    expect((await due(100)).length).toBe(100);
  });

  test("reads no more with 50,000 lanes waiting than with a few", async () => {
    await addLanes("flood", 50_000, 3_600_000);
    for (let n = 0; n < 30; n++) await addLanes(`w${n}`, 2, 1_000 * n);
    await addLanes("later", 20_000, -3_600_000);
    await database.db.transaction(async (tx) => {
      const before = await tx.query<{ n: number }>(COUNTED);
      expect(await dueLanes(tx, "ingest", 100, LEASE_MS)).toHaveLength(100);
      const after = await tx.query<{ n: number }>(COUNTED);
      expect((after[0]?.n ?? 0) - (before[0]?.n ?? 0)).toBeLessThan(400);
    });
  });
});

test("a resume reads no more lanes than it wakes, and some of every workspace", async () => {
  await addLanes("flood", 50_000, 3_600_000);
  const quiet = await addLanes("quiet", 1, 1_000);
  await addLanes("later", 20_000, -3_600_000);
  await database.db.transaction(async (tx) => {
    await pauseQueue(tx, "ingest");
    const before = await tx.query<{ n: number }>(COUNTED);
    const woken = (await resumeQueue(tx, "ingest")) ? await overdueLanes(tx, "ingest") : [];
    const after = await tx.query<{ n: number }>(COUNTED);
    expect(woken.filter(({ workspaceId }) => workspaceId === quiet)).toHaveLength(1);
    expect(woken.length).toBeGreaterThan(2_000);
    expect(woken.length).toBeLessThanOrEqual(10_000);
    expect((after[0]?.n ?? 0) - (before[0]?.n ?? 0)).toBeLessThan(11_000);
  });
});

/** Rows of `lanes` that this transaction has read, by index or not. */
const COUNTED = `SELECT (coalesce(idx_tup_fetch, 0) + seq_tup_read)::int AS n
  FROM pg_stat_xact_user_tables WHERE relname = 'lanes'`;
