import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { nextDueInMs } from "./claim.ts";
import { insertJobs } from "./enqueue.ts";
import { KeyedLane } from "./keyed-lane.ts";
import { LaneReaders } from "./lane-reader.ts";
import { takeLeases } from "./take-leases.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test("a job that becomes due between the claim and the hand-back is not left behind", async () => {
  const { db } = database;
  const lane = randomUUID();
  const job = { queue: "outbound" as const, lane, workspaceId: randomUUID(), kind: "test" };
  await insertJobs(db, [{ ...job, orderingKey: "k" }]);
  await db.query("UPDATE jobs SET state = 'retryable', run_at = now() + interval '100 ms'");
  const holder = { owner: randomUUID(), leaseMs: 5_000, claimLimit: 0 };
  const lease = (await takeLeases(db, "outbound", [lane], holder)).get(lane)?.lease;
  if (lease === undefined) throw new Error("the lane could not be leased");
  const keyed = new KeyedLane(new LaneReaders(db, "outbound").readerOf(lease.lane));
  const claim = await keyed.claim({ blockedKeys: [], ownIds: [], room: 10 });
  expect(claim).toMatchObject({ jobs: [], isEmpty: false, isWhole: true });
  await waitFor(
    async () => (await db.query("SELECT 1 FROM jobs WHERE run_at <= now()")).length > 0,
  );
  const dueInMs = await nextDueInMs(db, lease, claim.claimedAt);
  expect(dueInMs).not.toBeNull();
  expect(dueInMs).toBeLessThanOrEqual(0);
});
