import { Batcher, type Database, isUnavailable, type Transaction } from "../platform/index.ts";
import { type Claim, type ClaimedJob, claimInOrder } from "./claim.ts";
import { ClaimStale, LeaseLost, outcomeOfError } from "./errors.ts";
import { fence, type Lease, releaseLeases } from "./lease.ts";
import type { HeldLane, LeaseKeeper } from "./lease-keeper.ts";
import { completeJobs, countDeath, MAX_DEATHS, recordOutcomes } from "./outcome.ts";
import type { DrainEnd, TurnControl } from "./pool.ts";
import type { Job, Outcome, QueueName, TransactionalHandler } from "./types.ts";

/** Jobs of one lane in one transaction: bounds what a failure repeats and how long rows are locked. */
const CLAIM_LIMIT = 64;
const MAX_COMMIT_JOBS = 400;
/** A combined commit waits this long for a row somebody else has locked, then lanes go alone. */
const COMBINED_LOCK_TIMEOUT_MS = 1_000;
const ALONE_LOCK_TIMEOUT_MS = 5_000;

interface CommitItem {
  lease: Lease;
  seq: string;
  jobs: ClaimedJob[];
  /** These are all the lane had: hand it back in the same transaction if nothing is new. */
  releaseAfter: boolean;
}

type CommitResult = "done" | "released" | "lost";

/**
 * Drains of a queue whose effects are rows of this database.
 *
 * Claims, commits and releases of different lanes that meet travel together. A commit locks the
 * lanes' rows with their epochs first; lanes that miss drop out before anything is applied; effects
 * and completions of the rest are one transaction, and lanes that are empty now are released in it.
 *
 * A combined commit that fails is tried lane by lane (the batcher does that), and a lane that fails
 * alone goes job by job (`runAlone`), so a poisoned job hurts only itself.
 *
 * After a holder died (`lease.inherited`), as many jobs as it can have had in hand are run alone,
 * each marked `running` first: if this worker dies too, its successor knows which job it was.
 */
export class TransactionalDrains {
  private readonly claims: Batcher<Lease, Claim>;
  private readonly commits: Batcher<CommitItem, CommitResult>;
  private readonly db: Database;
  private readonly keeper: LeaseKeeper;
  private readonly handler: TransactionalHandler;
  private readonly worker: string;

  constructor(options: {
    db: Database;
    keeper: LeaseKeeper;
    queue: QueueName;
    handler: TransactionalHandler;
    worker: string;
  }) {
    this.db = options.db;
    this.keeper = options.keeper;
    this.handler = options.handler;
    this.worker = options.worker;
    this.claims = new Batcher({
      maxItems: 200,
      isShared: isUnavailable,
      run: (leases) =>
        claimInOrder(
          this.db,
          options.queue,
          leases.map((lease) => ({ lease, limit: CLAIM_LIMIT })),
        ),
    });
    this.commits = new Batcher({
      maxItems: 200,
      maxWeight: MAX_COMMIT_JOBS,
      weigh: (item) => item.jobs.length,
      isShared: isUnavailable,
      run: (items) =>
        this.commit(items, items.length > 1 ? COMBINED_LOCK_TIMEOUT_MS : ALONE_LOCK_TIMEOUT_MS),
    });
  }

  async drain(held: HeldLane, turn: TurnControl): Promise<DrainEnd> {
    const { lease } = held;
    let aloneFirst = lease.inherited ? CLAIM_LIMIT : 0;
    for (;;) {
      if (held.lost) return { handedBack: false };
      const claim = await this.claims.add(lease);
      const due = firstDue(claim.jobs);
      const [head] = due;
      if (head === undefined) {
        const dueInMs = claim.jobs[0]?.dueInMs ?? null;
        if (await this.keeper.release(held, claim.seq, dueInMs))
          return { handedBack: true, dueInMs };
        if (!this.keeper.find(lease.queue, lease.lane)) return { handedBack: false };
        if (await this.isLost(held)) return { handedBack: false };
        continue;
      }
      if (turn.isOver()) {
        const released = await this.keeper.release(held, claim.seq, "unchanged");
        return released ? { handedBack: true, dueInMs: 0 } : { handedBack: false };
      }
      if (aloneFirst > 0) {
        aloneFirst--;
        await this.runAlone(lease, head, { markRunning: true });
        continue;
      }
      const result = await this.commitOrNull(lease, claim, due);
      if (result === "lost") return { handedBack: false };
      if (result === "released") {
        this.keeper.forget(held);
        return { handedBack: true, dueInMs: null };
      }
      if (result === null) await this.runOneByOne(lease, due);
    }
  }

  /** Null when the lane failed even alone: its jobs must be tried one by one. */
  private async commitOrNull(
    lease: Lease,
    claim: Claim,
    due: ClaimedJob[],
  ): Promise<CommitResult | null> {
    try {
      const releaseAfter = claim.jobs.length === due.length && claim.jobs.length < CLAIM_LIMIT;
      return await this.commits.add({ lease, seq: claim.seq, jobs: due, releaseAfter });
    } catch (error) {
      if (isUnavailable(error)) throw error;
      return error instanceof ClaimStale ? "done" : null;
    }
  }

  private async runOneByOne(lease: Lease, jobs: ClaimedJob[]): Promise<void> {
    for (const job of jobs) {
      const completed = await this.runAlone(lease, job, { markRunning: false });
      // Strict order: what waits for its retry holds the lane; the next claim decides.
      if (!completed) return;
    }
  }

  /** One job in a transaction of its own; its failure is recorded. Answers whether it completed. */
  private async runAlone(
    lease: Lease,
    job: ClaimedJob,
    { markRunning }: { markRunning: boolean },
  ): Promise<boolean> {
    const startedMs = performance.now();
    let outcome: Outcome;
    try {
      const verdict = markRunning ? await this.markRunning(lease, job) : null;
      if (verdict === null) {
        const [result] = await this.commit(
          [{ lease, seq: "-1", jobs: [job], releaseAfter: false }],
          ALONE_LOCK_TIMEOUT_MS,
        );
        if (result === "lost") throw new LeaseLost(`lane ${lease.lane} has another holder`);
        return true;
      }
      outcome = verdict;
    } catch (error) {
      if (error instanceof LeaseLost || isUnavailable(error)) throw error;
      if (error instanceof ClaimStale) return false;
      outcome = outcomeOfError(error);
    }
    const runMs = performance.now() - startedMs;
    await this.db.transaction(async (tx) => {
      await this.mustHold(tx, lease);
      const end = { job, attempt: job.attempts + 1, outcome, runMs };
      await recordOutcomes(tx, [end], {
        worker: this.worker,
        nowMs: Date.now(),
        wasRunning: false,
      });
    });
    return false;
  }

  /** Marks the job as in hand; answers a verdict instead when too many workers died with it. */
  private async markRunning(lease: Lease, job: ClaimedJob): Promise<Outcome | null> {
    return this.db.transaction(async (tx) => {
      await this.mustHold(tx, lease);
      if (job.state === "running" && (await countDeath(tx, job)) >= MAX_DEATHS) {
        const error = `${MAX_DEATHS} workers died with this job in hand`;
        return { type: "discard", errorClass: "WorkerDied", error };
      }
      await tx.query(
        `/* jobs.mark */ UPDATE jobs SET state = 'running', worker = $3,
           started_at = clock_timestamp()
         WHERE workspace_id = $1 AND id = $2 AND state IN ('available', 'retryable', 'running')`,
        [job.workspaceId, job.id, this.worker],
      );
      return null;
    });
  }

  private async mustHold(tx: Transaction, lease: Lease): Promise<void> {
    const held = await fence(tx, [lease]);
    if (!held.has(lease.lane)) throw new LeaseLost(`lane ${lease.lane} has another holder`);
  }

  private async isLost(held: HeldLane): Promise<boolean> {
    const stillHeld = await this.db.transaction((tx) => fence(tx, [held.lease]));
    if (stillHeld.size > 0) return false;
    this.keeper.forget(held);
    return true;
  }

  private async commit(items: CommitItem[], lockTimeoutMs: number): Promise<CommitResult[]> {
    const startedMs = performance.now();
    return this.db.transaction(async (tx) => {
      await tx.query(`SET LOCAL lock_timeout = ${lockTimeoutMs}`);
      const held = await fence(
        tx,
        items.map((item) => item.lease),
      );
      const remaining = items.filter((item) => held.has(item.lease.lane));
      if (remaining.length === 0) return items.map(() => "lost");
      await this.handler.run(
        tx,
        remaining.map(({ lease, jobs }) => ({
          lane: lease.lane,
          workspaceId: lease.workspaceId,
          jobs,
        })),
      );
      const jobs: Job[] = remaining.flatMap((item) => item.jobs);
      const runMs = performance.now() - startedMs;
      const completed = await completeJobs(tx, jobs, { worker: this.worker, runMs });
      if (completed !== jobs.length) throw new ClaimStale("a job was changed by hand");
      const released = await releaseLeases(
        tx,
        remaining
          .filter((item) => item.releaseAfter)
          .map(({ lease, seq }) => ({ lease, seq, dueInMs: null })),
      );
      return items.map((item) => {
        if (!held.has(item.lease.lane)) return "lost";
        return released.has(item.lease.lane) ? "released" : "done";
      });
    });
  }
}

/** The jobs at the front of a strict lane that may run now: none while the head waits. */
function firstDue(jobs: ClaimedJob[]): ClaimedJob[] {
  const waiting = jobs.findIndex((job) => job.dueInMs > 0);
  return waiting === -1 ? jobs : jobs.slice(0, waiting);
}
