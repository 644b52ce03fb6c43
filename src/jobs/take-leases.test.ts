import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { Queryable, Transaction } from "../platform/index.ts";
import { type Claim, claimInOrder } from "./claim.ts";
import { insertJobs } from "./enqueue.ts";
import { finishLanes } from "./finish-lanes.ts";
import { fence, type Lease, releaseLeases } from "./lease.ts";
import { Ledger } from "./ledger.ts";
import { type TakenLane, takeLeases } from "./take-leases.ts";

/** What happens to a lane between the snapshot of a lease's statement and its lock, in the test's hand. */
let database: TestDatabase;
let lane: string;
const workspaceId = randomUUID();
const LIMIT = 10;
const older = { owner: randomUUID(), leaseMs: 5_000, claimLimit: LIMIT };
const newer = { owner: randomUUID(), leaseMs: 5_000, claimLimit: LIMIT };

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(() => {
  lane = randomUUID();
});

const enqueue = (count: number, { on = database.db as Queryable, into = lane } = {}) =>
  insertJobs(
    on,
    Array.from({ length: count }, (_, n) => ({
      queue: "ingest" as const,
      lane: into,
      workspaceId,
      kind: "test",
      payload: { n },
      body: Buffer.from(`body ${n}`),
    })),
  );

async function take(holder: typeof older, on: Queryable = database.db): Promise<TakenLane> {
  const taken = (await takeLeases(on, "ingest", [lane], holder)).get(lane);
  if (taken === undefined) throw new Error("the lane could not be leased");
  return taken;
}

/** As a drain goes on: with what came with the lease, or a claim apart. */
async function claimOf({ lease, firstClaim }: TakenLane): Promise<Claim> {
  return firstClaim ?? (await claimApart(lease));
}

async function claimApart(lease: Lease, on: Queryable = database.db): Promise<Claim> {
  const [claim] = await claimInOrder(on, "ingest", [{ lease, limit: LIMIT }]);
  if (claim === undefined) throw new Error("nothing was claimed");
  return claim;
}

const finish = async (tx: Transaction, lease: Lease, jobs: Claim["jobs"]) => {
  const done = { worker: "test", runMs: 1 };
  const finished = await finishLanes(tx, [{ lease, jobs, releaseSeq: null }], done);
  expect(finished.held.has(lane)).toBe(true);
  return finished.completed;
};

const expire = () =>
  database.db.query("UPDATE lanes SET lease_until = now() - interval '1 s' WHERE lane = $1", [
    lane,
  ]);

const numbers = (claim: Claim) => claim.jobs.map((job) => job.payload.n);

/** The newer worker's lease, whose statement waits for the lane's row while `meanwhile` happens. */
async function takeWhile(meanwhile: (tx: Transaction) => Promise<unknown>): Promise<TakenLane> {
  let taken: Promise<TakenLane> | undefined;
  await database.db.transaction(async (tx) => {
    await tx.query("SELECT FROM lanes WHERE lane = $1 FOR NO KEY UPDATE", [lane]);
    taken = take(newer);
    // Seen to wait or not: what it threw is thrown below.
    taken.catch(() => {});
    await waitFor(
      async () =>
        (
          await database.owner.query(
            `SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
               AND wait_event_type = 'Lock' AND strpos(query, '/* jobs.lease */') > 0`,
          )
        ).length > 0,
      { what: "the lease to wait" },
    );
    await meanwhile(tx);
  });
  if (taken === undefined) throw new Error("nobody asked for the lease");
  return taken;
}

describe("a lease brings the first claim with it", () => {
  test("the one that a claim apart would read, with bodies", async () => {
    await enqueue(3);
    const { lease, firstClaim } = await take(newer);
    const apart = await claimApart(lease);
    expect(firstClaim?.jobs.map((job) => job.body?.toString())).toEqual([
      "body 0",
      "body 1",
      "body 2",
    ]);
    const withoutTimes = (claim: Claim | null) => ({
      ...claim,
      claimedAt: null,
      jobs: claim?.jobs.map((job) => ({ ...job, dueInMs: job.dueInMs <= 0 })),
    });
    expect(withoutTimes(firstClaim)).toEqual(withoutTimes(apart));
  });

  test("a lane without jobs has an empty one, which hands it back", async () => {
    await enqueue(1);
    await database.db.query("UPDATE jobs SET state = 'cancelled' WHERE lane = $1", [lane]);
    const { lease, firstClaim } = await take(newer);
    expect(firstClaim).toMatchObject({ isEmpty: true, jobs: [] });
    const seq = firstClaim?.seq ?? "-1";
    expect((await releaseLeases(database.db, [{ lease, seq, dueInMs: null }])).size).toBe(1);
  });

  test("as many jobs as were asked for, and none where none were", async () => {
    await enqueue(LIMIT + 2);
    const { lease, firstClaim } = await take(newer);
    expect(firstClaim?.jobs).toHaveLength(LIMIT);
    await releaseLeases(database.db, [
      { lease, seq: firstClaim?.seq ?? "-1", dueInMs: "unchanged" },
    ]);
    expect((await take({ ...older, claimLimit: 0 })).firstClaim).toBeNull();
  });

  test("many lanes at once: what would be too much is claimed apart, never cut", async () => {
    const deep = (n: number) => n % 10 === 0;
    const lanes = Array.from({ length: 60 }, (_, n) => `${lane}/${String(n).padStart(2, "0")}`);
    for (const [n, into] of lanes.entries()) await enqueue(deep(n) ? 4 : 1, { into });
    const taken = await takeLeases(database.db, "ingest", lanes, newer);
    expect(lanes.map((name) => taken.get(name)?.firstClaim?.jobs.length ?? "apart")).toEqual(
      lanes.map((_, n) => (deep(n) ? "apart" : 1)),
    );
  });

  test("a hundred and fifty lanes: all leased, all claimed apart", async () => {
    const lanes = Array.from({ length: 150 }, (_, n) => `${lane}/${String(n).padStart(3, "0")}`);
    await insertJobs(
      database.db,
      lanes.map((name) => ({ queue: "ingest", lane: name, workspaceId, kind: "test" })),
    );
    const taken = await takeLeases(database.db, "ingest", lanes, newer);
    expect(taken.size).toBe(150);
    expect([...taken.values()].filter(({ firstClaim }) => firstClaim !== null)).toEqual([]);
  });
});

describe("while the lease waits for the lane's row", () => {
  test("nothing happens: the claim is good", async () => {
    await enqueue(2);
    const { firstClaim } = await takeWhile(async () => {});
    expect(firstClaim?.jobs).toHaveLength(2);
  });

  test("a job falls due: it is due in the claim", async () => {
    await enqueue(1);
    await database.db.query(
      "UPDATE jobs SET run_at = clock_timestamp() + interval '200 ms' WHERE lane = $1",
      [lane],
    );
    const { firstClaim } = await takeWhile(() =>
      waitFor(
        async () =>
          (
            await database.db.query("SELECT 1 FROM jobs WHERE lane = $1 AND run_at <= now()", [
              lane,
            ])
          ).length > 0,
        { what: "the job to be due" },
      ),
    );
    expect(firstClaim?.jobs[0]?.dueInMs).toBeLessThanOrEqual(0);
  });

  test("a job is inserted: it is not left behind", async () => {
    await enqueue(1);
    const taken = await takeWhile((tx) => enqueue(1, { on: tx }));
    expect(taken.firstClaim).toBeNull();
    const claim = await claimOf(taken);
    expect(claim.jobs).toHaveLength(2);
    await database.db.transaction((tx) => finish(tx, taken.lease, claim.jobs.slice(0, 1)));
    // Whatever was claimed: the lane may not be handed back as one with nothing in it.
    const early = { lease: taken.lease, seq: "1", dueInMs: null };
    expect((await releaseLeases(database.db, [early])).size).toBe(0);
  });

  test("a job is cancelled by hand: it is not run", async () => {
    await enqueue(2);
    const taken = await takeWhile(async (tx) => {
      // The ledger's own statements, in the transaction that holds the row.
      const db = { ...database.db, transaction: (work: (on: Transaction) => unknown) => work(tx) };
      const ledger = new Ledger({ db: db as typeof database.db, wake: () => {}, hooks: {} });
      expect(await ledger.cancel({ queue: "ingest", lane })).toBe(2);
    });
    expect(taken.firstClaim).toBeNull();
    expect((await claimOf(taken)).jobs).toEqual([]);
  });

  test("somebody else takes the lane, completes a job and hands it back: it is not run again", async () => {
    await enqueue(2);
    const taken = await takeWhile(async (tx) => {
      const { lease } = await take(older, tx);
      const claim = await claimApart(lease, tx);
      await finish(tx, lease, claim.jobs.slice(0, 1));
      const release = { lease, seq: claim.seq, dueInMs: "unchanged" as const };
      expect((await releaseLeases(tx, [release])).size).toBe(1);
    });
    expect(taken.lease.inherited).toBe(false);
    expect(taken.firstClaim).toBeNull();
    expect(numbers(await claimOf(taken))).toEqual([1]);
  });

  test("the former holder, whose lease has run out, completes a job and hands it back: the same", async () => {
    await enqueue(2);
    const former = await take(older);
    const claim = await claimOf(former);
    await expire();
    const taken = await takeWhile(async (tx) => {
      await finish(tx, former.lease, claim.jobs.slice(0, 1));
      const release = { lease: former.lease, seq: claim.seq, dueInMs: "unchanged" as const };
      expect((await releaseLeases(tx, [release])).size).toBe(1);
    });
    // It had an owner in the snapshot, and none at the lock; seq and epoch are what they were.
    expect(taken.lease.inherited).toBe(false);
    expect(taken.firstClaim).toBeNull();
    expect(numbers(await claimOf(taken))).toEqual([1]);
  });

  test("a dying holder's commit, which leaves the row as it is, ends: its jobs are not run again", async () => {
    await enqueue(3);
    const dying = await take(older);
    const claim = await claimOf(dying);
    await expire();
    const taken = await takeWhile(async (tx) => {
      expect(await finish(tx, dying.lease, claim.jobs.slice(0, 2))).toBe(2);
    });
    expect(taken.lease.inherited).toBe(true);
    expect(taken.firstClaim).toBeNull();
    const rest = await claimOf(taken);
    expect(numbers(rest)).toEqual([2]);
    expect(await database.db.transaction((tx) => finish(tx, taken.lease, rest.jobs))).toBe(1);
    expect(await database.db.transaction((tx) => fence(tx, [dying.lease]))).toEqual(new Set());
  });
});

test("an inherited lane is claimed apart also where nobody was waited for", async () => {
  await enqueue(1);
  await take(older);
  await expire();
  const taken = await take(newer);
  expect(taken).toMatchObject({ lease: { inherited: true }, firstClaim: null });
});
