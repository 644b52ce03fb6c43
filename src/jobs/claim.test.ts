import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { claimHeads } from "./claim.ts";
import { insertJobs } from "./enqueue.ts";
import type { Lease } from "./lease.ts";
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

/** Ids of the heads that a claim finds, and whether they may run. A claim does not look at the lease. */
async function heads(lane: string): Promise<{ id: string; isDue: boolean }[]> {
  const owner = randomUUID();
  const lease: Lease = {
    queue: "outbound",
    lane,
    workspaceId,
    owner,
    epoch: "1",
    inherited: false,
  };
  const { jobs } = await claimHeads(database.db, lease, [], 10);
  return jobs.map((job) => ({ id: job.id, isDue: job.dueInMs <= 0 }));
}

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
    expect(await heads(lane)).toEqual([{ id: first, isDue: true }]);
  });

  test("has a time of its own: those behind it may go first", async () => {
    const lane = randomUUID();
    await enqueue(lane, { runAt: new Date(Date.now() + 3_600_000) });
    const second = await enqueue(lane);
    expect(await heads(lane)).toEqual([{ id: second, isDue: true }]);
  });
});
