import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import type { Transaction } from "../platform/index.ts";
import { claimInOrder } from "./claim.ts";
import { insertJobs } from "./enqueue.ts";
import { finishLanes } from "./finish-lanes.ts";
import { type Lease, releaseLeases, renewLeases } from "./lease.ts";
import { dueLanes } from "./sweep.ts";
import { takeLeases } from "./take-leases.ts";

/** The five steps of a lane, one statement at a time, with the interleaving in the test's hand. */
let database: TestDatabase;
let lane: string;
const workspaceId = randomUUID();
const leaseMs = 5_000;
const older = { owner: randomUUID(), leaseMs, claimLimit: 0 };
const newer = { owner: randomUUID(), leaseMs, claimLimit: 0 };

beforeAll(async () => {
  database = await createTestDatabase();
  await database.owner.query(
    "CREATE TABLE effects (n bigint GENERATED ALWAYS AS IDENTITY, lane text, job bigint)",
  );
});
afterAll(() => database.drop());
beforeEach(() => {
  lane = randomUUID();
});

const NONE = { renewed: new Set(), busy: new Set() };

const enqueue = (count = 1, into = lane) =>
  insertJobs(
    database.db,
    Array.from({ length: count }, (_, n) => ({
      queue: "ingest" as const,
      lane: into,
      workspaceId,
      kind: "test",
      payload: { n },
    })),
  );

async function take(holder: typeof older): Promise<Lease | undefined> {
  return (await takeLeases(database.db, "ingest", [lane], holder)).get(lane)?.lease;
}

async function mustTake(holder: typeof older): Promise<Lease> {
  const lease = await take(holder);
  if (lease === undefined) throw new Error("the lane could not be leased");
  return lease;
}

/** What a crash, a SIGSTOP or a cut network amounts to: time passes, nobody renews. */
const expire = () =>
  database.db.query("UPDATE lanes SET lease_until = now() - interval '1 s' WHERE lane = $1", [
    lane,
  ]);

const claim = async (lease: Lease, limit = 10) => {
  const [claimed] = await claimInOrder(database.db, "ingest", [{ lease, limit }]);
  if (claimed === undefined) throw new Error("nothing was claimed");
  return claimed;
};

class Refused extends Error {}

/** Commits the claimed jobs with one effect each, as a drain does. Answers whether it was allowed. */
async function commit(lease: Lease, jobs: Awaited<ReturnType<typeof claim>>["jobs"]) {
  try {
    await database.db.transaction(async (tx) => {
      for (const job of jobs) {
        await tx.query("INSERT INTO effects (lane, job) VALUES ($1, $2)", [lane, job.id]);
      }
      if (!(await finish(tx, lease, jobs)).held.has(lane)) throw new Refused();
    });
    return true;
  } catch (error) {
    if (error instanceof Refused) return false;
    throw error;
  }
}

async function finish(
  tx: Transaction,
  lease: Lease,
  jobs: Awaited<ReturnType<typeof claim>>["jobs"],
  releaseSeq: string | null = null,
) {
  const finished = await finishLanes(tx, [{ lease, jobs, releaseSeq }], {
    worker: "test",
    runMs: 1,
  });
  expect(finished.completed).toBe(finished.held.has(lane) ? jobs.length : 0);
  return finished;
}

/** Until a statement with this tag waits for somebody else's row lock. */
const untilWaitingForLock = (tag: string) =>
  waitFor(
    async () =>
      (
        await database.owner.query(
          `SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
             AND wait_event_type = 'Lock' AND strpos(query, $1) > 0`,
          [`/* ${tag} */`],
        )
      ).length > 0,
    { what: `${tag} to wait` },
  );

const release = async (lease: Lease, seq: string) =>
  (await releaseLeases(database.db, [{ lease, seq, dueInMs: null }])).has(lane);

const effects = async () =>
  (
    await database.db.query<{ job: string }>("SELECT job FROM effects WHERE lane = $1 ORDER BY n", [
      lane,
    ])
  ).map((row) => row.job);

const jobIds = async () =>
  (
    await database.db.query<{ id: string }>("SELECT id FROM jobs WHERE lane = $1 ORDER BY id", [
      lane,
    ])
  ).map((row) => row.id);

describe("the lease", () => {
  test("has one holder; a lane that is not due has none", async () => {
    expect(await take(older)).toBeUndefined();
    await enqueue();
    const lease = await mustTake(older);
    expect(lease.inherited).toBe(false);
    expect(await take(newer)).toBeUndefined();
    expect(await take(older)).toBeUndefined();
  });

  test("two takers at once: one gets it", async () => {
    await enqueue();
    const takers = Array.from({ length: 8 }, () => ({
      owner: randomUUID(),
      leaseMs,
      claimLimit: 0,
    }));
    const leases = await Promise.all(takers.map(take));
    expect(leases.filter((lease) => lease !== undefined)).toHaveLength(1);
  });

  test("runs out, and the successor knows that nobody handed the lane back", async () => {
    await enqueue();
    await mustTake(older);
    await expire();
    expect(await dueLanes(database.db, "ingest", 1_000, leaseMs)).toContain(lane);
    expect((await mustTake(newer)).inherited).toBe(true);
  });

  test("is renewed only for the one who holds it", async () => {
    await enqueue();
    const first = await mustTake(older);
    expect((await renewLeases(database.db, [first], older)).renewed).toEqual(new Set([first]));
    await expire();
    const second = await mustTake(newer);
    expect(await renewLeases(database.db, [first], older)).toEqual(NONE);
    expect((await renewLeases(database.db, [second], newer)).renewed).toEqual(new Set([second]));
  });

  test("a lane that somebody has locked does not keep the others from being renewed", async () => {
    await enqueue();
    const first = await mustTake(older);
    await enqueue(1, `${lane}/other`);
    const taken = await takeLeases(database.db, "ingest", [`${lane}/other`], older);
    const other = taken.get(`${lane}/other`)?.lease as Lease;
    await database.db.transaction(async (tx) => {
      await tx.query("SELECT FROM lanes WHERE lane = $1 FOR NO KEY UPDATE", [lane]);
      const renewal = await renewLeases(database.db, [first, other], older);
      expect(renewal).toEqual({ renewed: new Set([other]), busy: new Set([first]) });
    });
    const renewal = await renewLeases(database.db, [first, other], older);
    expect(renewal.renewed).toEqual(new Set([first, other]));
  });

  test("a clock that went back makes none immortal", async () => {
    await enqueue();
    await mustTake(older);
    await database.db.query(
      "UPDATE lanes SET lease_until = now() + interval '1 hour' WHERE lane = $1",
      [lane],
    );
    expect(await dueLanes(database.db, "ingest", 1_000, leaseMs)).toContain(lane);
    expect(await take(newer)).toBeDefined();
  });
});

describe("a row that commits between the last claim and the release", () => {
  test("keeps the lane: the holder claims again and finds it", async () => {
    await enqueue();
    const lease = await mustTake(older);
    const first = await claim(lease);
    await commit(lease, first.jobs);
    await enqueue();
    expect(await release(lease, first.seq)).toBe(false);
    const second = await claim(lease);
    expect(second.jobs).toHaveLength(1);
    await commit(lease, second.jobs);
    expect(await release(lease, second.seq)).toBe(true);
    expect(await effects()).toEqual(await jobIds());
  });

  test("that commits right after the release makes the lane due again", async () => {
    await enqueue();
    const lease = await mustTake(older);
    const first = await claim(lease);
    await commit(lease, first.jobs);
    expect(await release(lease, first.seq)).toBe(true);
    expect(await take(newer)).toBeUndefined();
    await enqueue();
    expect(await take(newer)).toBeDefined();
  });
});

describe("two workers that both believe they hold a lane", () => {
  /** The newer worker takes over and finishes everything. */
  async function takeOver(): Promise<void> {
    await expire();
    const lease = await mustTake(newer);
    const claimed = await claim(lease);
    expect(await commit(lease, claimed.jobs)).toBe(true);
    expect(await release(lease, claimed.seq)).toBe(true);
  }

  test("the older wakes up before its claim: it may read, but writes nothing", async () => {
    await enqueue(3);
    const lease = await mustTake(older);
    await expire();
    const winner = await mustTake(newer);
    const stale = await claim(lease);
    expect(await commit(lease, stale.jobs)).toBe(false);
    const claimed = await claim(winner);
    expect(await commit(winner, claimed.jobs)).toBe(true);
    expect(await effects()).toEqual(await jobIds());
  });

  test("the older wakes up between its claim and its commit, the newer in mid-work", async () => {
    await enqueue(3);
    const lease = await mustTake(older);
    const stale = await claim(lease);
    await expire();
    const winner = await mustTake(newer);
    const claimed = await claim(winner, 1);
    expect(await commit(winner, claimed.jobs)).toBe(true);
    expect(await commit(lease, stale.jobs)).toBe(false);
    const rest = await claim(winner);
    expect(await commit(winner, rest.jobs)).toBe(true);
    expect(await effects()).toEqual(await jobIds());
  });

  test("the older wakes up inside its commit: the newer waits for it and sees its work", async () => {
    await enqueue(3);
    const lease = await mustTake(older);
    const claimed = await claim(lease, 2);
    await expire();
    let winner: Promise<Lease> | undefined;
    await database.db.transaction(async (tx) => {
      for (const job of claimed.jobs) {
        await tx.query("INSERT INTO effects (lane, job) VALUES ($1, $2)", [lane, job.id]);
      }
      expect((await finish(tx, lease, claimed.jobs)).held.has(lane)).toBe(true);
      // The newer one asks for the lease now; the older one's row lock holds it back.
      winner = mustTake(newer);
      await untilWaitingForLock("jobs.lease");
    });
    const taken = await winner;
    if (taken === undefined) throw new Error("the newer worker never got the lane");
    const rest = await claim(taken);
    expect(rest.jobs).toHaveLength(1);
    expect(await commit(taken, rest.jobs)).toBe(true);
    expect(await effects()).toEqual(await jobIds());
  });

  test("the older wakes up in mid-work, before its fence: the newer has taken over, and it writes nothing", async () => {
    await enqueue(3);
    const lease = await mustTake(older);
    const claimed = await claim(lease, 2);
    const refused = database.db.transaction(async (tx) => {
      for (const job of claimed.jobs) {
        await tx.query("INSERT INTO effects (lane, job) VALUES ($1, $2)", [lane, job.id]);
      }
      // Nothing holds the newer one back yet.
      await takeOver();
      if (!(await finish(tx, lease, claimed.jobs)).held.has(lane)) throw new Refused();
    });
    await expect(refused).rejects.toThrow(Refused);
    expect(await effects()).toEqual(await jobIds());
  });

  test("a commit that hands the lane back keeps it where a row came after the claim", async () => {
    await enqueue(1);
    const lease = await mustTake(older);
    const first = await claim(lease);
    await enqueue(1);
    await database.db.transaction(async (tx) => {
      const finished = await finish(tx, lease, first.jobs, first.seq);
      expect(finished.released.size).toBe(0);
    });
    const second = await claim(lease);
    expect(second.jobs).toHaveLength(1);
    await database.db.transaction(async (tx) => {
      const finished = await finish(tx, lease, second.jobs, second.seq);
      expect(finished.released).toEqual(new Set([lane]));
    });
    expect(await take(newer)).toBeUndefined();
  });

  test("a row that arrives while the commit holds the lane waits, and makes it due again", async () => {
    await enqueue(1);
    const lease = await mustTake(older);
    const first = await claim(lease);
    let late: Promise<unknown> | undefined;
    await database.db.transaction(async (tx) => {
      const finished = await finish(tx, lease, first.jobs, first.seq);
      expect(finished.released).toEqual(new Set([lane]));
      late = enqueue(1);
      await untilWaitingForLock("jobs.enqueue");
    });
    await late;
    expect(await take(newer)).toBeDefined();
  });

  test("the older wakes up after everything is done: its commit and release change nothing", async () => {
    await enqueue(2);
    const lease = await mustTake(older);
    const stale = await claim(lease);
    await takeOver();
    await enqueue(1);
    expect(await commit(lease, stale.jobs)).toBe(false);
    expect(await release(lease, stale.seq)).toBe(false);
    expect(await dueLanes(database.db, "ingest", 1_000, leaseMs)).toContain(lane);
  });

  test("the older wakes up at its release, while the newer holds the lane: the lease stays", async () => {
    await enqueue(1);
    const lease = await mustTake(older);
    const claimed = await claim(lease);
    expect(await commit(lease, claimed.jobs)).toBe(true);
    await enqueue(1);
    await expire();
    const winner = await mustTake(newer);
    const { seq } = await claim(winner);
    expect(await release(lease, seq)).toBe(false);
    expect((await renewLeases(database.db, [winner], newer)).renewed).toEqual(new Set([winner]));
  });

  test("the same epoch handed out twice (Postgres lost it in a crash) still tells owners apart", async () => {
    await enqueue(1);
    const lease = await mustTake(older);
    const stale = await claim(lease);
    await expire();
    const winner = await mustTake(newer);
    await database.db.query("UPDATE lanes SET epoch = $2 WHERE lane = $1", [lane, lease.epoch]);
    expect(await commit(lease, stale.jobs)).toBe(false);
    expect(await commit({ ...winner, epoch: lease.epoch }, stale.jobs)).toBe(true);
  });
});
