import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { insertJobs } from "./enqueue.ts";
import { type LaneReader, LaneReaders } from "./lane-reader.ts";
import { touchLanes } from "./ledger.ts";
import { rekeyJobs } from "./rekey-jobs.ts";
import type { NewJob } from "./types.ts";

let database: TestDatabase;
const workspaceId = randomUUID();
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

/** Enqueues a job of the one key of a lane; answers its id. */
async function enqueue(lane: string, more: Partial<NewJob> = {}): Promise<string | null> {
  const job: NewJob = { queue: "outbound", lane, workspaceId, kind: "test", orderingKey: "k" };
  const [enqueued] = await insertJobs(database.db, [{ ...job, ...more }]);
  return enqueued?.id ?? null;
}

function readerOf(lane: string): LaneReader {
  return new LaneReaders(database.db, "outbound", { page: 1 }).readerOf(lane);
}

/** The head of the lane's one key, and whether it may run. Who reads does not look at the lease. */
async function heads(lane: string): Promise<{ id: string; isDue: boolean; priority: number }[]> {
  const jobs = await readerOf(lane).readHeads(["k", "another"]);
  return jobs.map(({ id, dueInMs, priority }) => ({ id, isDue: dueInMs <= 0, priority }));
}

const setState = (id: string | null, state: string, dueInS = 0) =>
  database.db.query(
    "UPDATE jobs SET state = $2, run_at = now() + $3 * interval '1 s', filed = false WHERE id = $1",
    [id, state, dueInS],
  );
const inMs = (ms: number) => new Date(Date.now() + ms);

describe("the head of a key", () => {
  test("was due when it came: it is, and holds its key, also after the clock went back", async () => {
    const lane = randomUUID();
    const first = await enqueue(lane);
    // What a clock that goes back by an hour makes of times already written.
    await database.db.query(
      `UPDATE jobs SET run_at = run_at + interval '1 hour',
         created_at = created_at + interval '1 hour' WHERE lane = $1`,
      [lane],
    );
    await enqueue(lane);
    expect(await heads(lane)).toEqual([{ id: first, isDue: true, priority: 5 }]);
  });

  test("is the oldest, with the priority of the most urgent behind it", async () => {
    const lane = randomUUID();
    const first = await enqueue(lane, { priority: 8 });
    await enqueue(lane, { priority: 5 });
    await enqueue(lane, { priority: 2 });
    expect(await heads(lane)).toEqual([{ id: first, isDue: true, priority: 2 }]);
    // It was tried, and waits: so does the key.
    await setState(first, "retryable", 60);
    expect(await heads(lane)).toEqual([{ id: first, isDue: false, priority: 2 }]);
  });

  test("is a critical one, which passes all that are not; never another critical one", async () => {
    const lane = randomUUID();
    const bulk = await enqueue(lane);
    const first = await enqueue(lane, { priority: 0 });
    const second = await enqueue(lane, { priority: 0 });
    expect(await heads(lane)).toEqual([{ id: first, isDue: true, priority: 0 }]);
    await setState(first, "retryable", 60);
    expect(await heads(lane)).toEqual([{ id: first, isDue: false, priority: 0 }]);
    await setState(first, "completed");
    expect(await heads(lane)).toEqual([{ id: second, isDue: true, priority: 0 }]);
    await setState(second, "completed");
    expect(await heads(lane)).toEqual([{ id: bulk, isDue: true, priority: 5 }]);
  });

  test("has a time of its own: those behind it may go first, and it takes its place by that time", async () => {
    const lane = randomUUID();
    const [later, soon, urgent] = [
      await enqueue(lane, { runAt: inMs(3_600_000) }),
      await enqueue(lane, { runAt: inMs(60_000) }),
      await enqueue(lane, { runAt: inMs(3_600_000), priority: 0 }),
    ];
    expect(await heads(lane)).toEqual([]);
    const before = await enqueue(lane);
    expect(await heads(lane)).toEqual([{ id: before, isDue: true, priority: 5 }]);
    const at = (id: string | null, interval: string) =>
      database.db.query(
        `UPDATE jobs SET created_at = now() - interval '1 h', run_at = now() - $2::interval,
           filed = false WHERE id = $1`,
        [id, interval],
      );
    // It was due after the one that came at once, then before it.
    await at(soon, "0 s");
    expect(await heads(lane)).toMatchObject([{ id: before }]);
    await at(soon, "1 min");
    expect(await heads(lane)).toMatchObject([{ id: soon, isDue: true }]);
    await at(later, "2 min");
    expect(await heads(lane)).toMatchObject([{ id: later }]);
    // What was begun stands before what was not; a critical one passes it.
    await setState(before, "retryable", 60);
    expect(await heads(lane)).toMatchObject([{ id: before, isDue: false }]);
    await setState(before, "available");
    await at(urgent, "0 s");
    expect(await heads(lane)).toMatchObject([{ id: urgent, isDue: true, priority: 0 }]);
  });
});

test("a change by hand and a new key are told to whoever drains the lane; what arrives is not", async () => {
  const lane = randomUUID();
  const seqs = async () => {
    const wish = { ownIds: [], passed: [] };
    const { seq, changedSeq } = (await readerOf(lane).look([], wish)) ?? {};
    return [seq, changedSeq];
  };
  await enqueue(lane);
  await enqueue(lane);
  expect(await seqs()).toEqual(["2", "0"]);
  await touchLanes(database.db, [{ queue: "outbound", lane, workspace_id: workspaceId }]);
  expect(await seqs()).toEqual(["3", "3"]);
  await database.db.transaction((tx) =>
    rekeyJobs(tx, { queue: "outbound", lane, from: "k", to: "another" }),
  );
  expect(await seqs()).toEqual(["4", "4"]);
  expect(await heads(lane)).toHaveLength(1);
  await enqueue(lane);
  expect(await seqs()).toEqual(["5", "4"]);
});
