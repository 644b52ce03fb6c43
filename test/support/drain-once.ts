import { randomUUID } from "node:crypto";
import { claimInOrder } from "../../src/jobs/claim.ts";
import { finishLanes } from "../../src/jobs/finish-lanes.ts";
import type { NewJob, TransactionalHandler } from "../../src/jobs/index.ts";
import { releaseLeases, renewLeases } from "../../src/jobs/lease.ts";
import { takeLeases } from "../../src/jobs/take-leases.ts";
import type { Database } from "../../src/platform/index.ts";

/**
 * One drain of the jobs' lanes, all in one transaction, with every statement of the engine on its
 * way; no wakes, no timers. Answers how many jobs it completed.
 */
export async function drainOnce(
  db: Database,
  handler: TransactionalHandler,
  jobs: NewJob[],
): Promise<number> {
  const lanes = [...new Set(jobs.map((job) => job.lane))].sort();
  const holder = { owner: randomUUID(), leaseMs: 5_000, claimLimit: 64 };
  const taken = [...(await takeLeases(db, "ingest", lanes, holder)).values()];
  const leases = taken.map(({ lease }) => lease);
  await renewLeases(db, leases, holder);
  const requests = leases.map((lease) => ({ lease, limit: 64 }));
  const later = await claimInOrder(db, "ingest", requests);
  const claims = later.map((claim, n) => (n % 2 === 0 ? claim : (taken[n]?.firstClaim ?? claim)));
  const work = leases.map((lease, n) => ({
    lease,
    jobs: claims[n]?.jobs ?? [],
    releaseSeq: n % 2 === 0 ? (claims[n]?.seq ?? null) : null,
  }));
  const finished = await db.transaction(async (tx) => {
    await handler.run(
      tx,
      work.map(({ lease, jobs: claimed }) => ({
        lane: lease.lane,
        workspaceId: lease.workspaceId,
        jobs: claimed,
      })),
    );
    return finishLanes(tx, work, { worker: "test", runMs: 1 });
  });
  const kept = leases.flatMap((lease, n) =>
    finished.released.has(lease.lane)
      ? []
      : [{ lease, seq: claims[n]?.seq ?? "-1", dueInMs: null }],
  );
  const released = await releaseLeases(db, kept);
  if (released.size + finished.released.size !== lanes.length) throw new Error("lanes are held");
  return finished.completed;
}
