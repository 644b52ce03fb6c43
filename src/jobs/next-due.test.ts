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

test("a clock that goes back between the claim and the hand-back leaves nothing behind that is late again", async () => {
  const { db } = database;
  const lane = randomUUID();
  const job = { queue: "outbound" as const, lane, workspaceId: randomUUID(), kind: "test" };
  const runAt = new Date(Date.now() + 60_000);
  await insertJobs(db, [{ ...job, orderingKey: "k", runAt }]);
  const lease = { ...job, owner: randomUUID(), epoch: "1", inherited: false };
  // Looked at by a clock that was an hour ahead: it was due.
  const [{ at } = { at: "" }] = await db.query<{ at: string }>(
    "SELECT (now() + interval '1 h')::text AS at",
  );
  const dueInMs = await nextDueInMs(db, lease, at);
  expect(dueInMs).toBeGreaterThan(0);
  expect(dueInMs).toBeLessThanOrEqual(60_000);
});
