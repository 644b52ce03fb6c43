import {
  Batcher,
  type Database,
  isLockTimeout,
  isUnavailable,
  Overloaded,
} from "../platform/index.ts";
import { type Claim, type ClaimedJob, claimInOrder } from "./claim.ts";
import { blockedPauseMs, commitOrApart } from "./commit-apart.ts";
import { ClaimStale, LeaseLost, outcomeOfError } from "./errors.ts";
import { finishLanes, type LaneWork } from "./finish-lanes.ts";
import type { InHand } from "./in-hand.ts";
import { fence, type Lease, mustHold } from "./lease.ts";
import type { HeldLane, LeaseKeeper } from "./lease-keeper.ts";
import { recordOutcomes } from "./outcome.ts";
import type { DrainEnd, TurnControl } from "./pool.ts";
import { JUDGE_AGAIN_MS, Suspects } from "./suspects.ts";
import type { Outcome, QueueName, TransactionalHandler } from "./types.ts";

/** Jobs of one lane in one transaction: bounds what a failure repeats and how long rows are locked. */
export const CLAIM_LIMIT = 64;
const MAX_COMMIT_JOBS = 400;
/**
 * A commit waits this long for a row that somebody else has locked. Then its lanes go apart
 * (commit-apart.ts), so that one lock somewhere holds two hundred lanes for half a second, not for
 * as long as it is held; and the lane that needs the row stays out of the combined commits until it
 * got it.
 */
const LOCK_TIMEOUT_MS = 250;
/** A lane tried apart waits shorter: it comes back soon, and others wait for its turn. */
const ALONE_LOCK_TIMEOUT_MS = 50;
const MAX_BLOCKED = 10_000;
/**
 * Lanes that wait for their turn to try a locked row again keep their slots meanwhile: few of one
 * workspace, and few in all. The others come back later.
 */
const MAX_BLOCKED_WAITING = 20;
const MAX_BLOCKED_WAITING_OF_WORKSPACE = 3;
/** Jobs named to the watchdog: those that killed before run alone. */
const MAX_NOTED = 20;

interface CommitItem extends LaneWork {
  jobs: ClaimedJob[];
}

type CommitResult = "done" | "released" | "lost";

/**
 * What meets travels together; two of them, so that lanes of those who ask for little do not wait
 * for the batches of a flood (wake-priority.ts).
 */
interface Batchers {
  claims: Batcher<Lease, Claim>;
  commits: Batcher<CommitItem, CommitResult>;
}

/** Lanes whose leases were gone at the end of a transaction: it is rolled back. */
class LanesLost extends Error {
  override name = "LanesLost";
  readonly lanes: ReadonlySet<string>;
  constructor(lanes: ReadonlySet<string>) {
    super(`${lanes.size} lanes have another holder`);
    this.lanes = lanes;
  }
}

/**
 * Drains of a queue whose effects are rows of this database.
 *
 * The first claim comes with the lease as a rule (take-leases.ts). Later claims, commits and
 * releases of different lanes that meet travel together. A commit applies the
 * effects first and ends with the fence: lanes that miss there roll it back, and the others are
 * tried again without them. Completions and hand-backs are part of the fence's statement, so the
 * lanes' rows, for which the receivers' inserts wait, are locked for that one statement only.
 *
 * A combined commit that fails is tried lane by lane (the batcher does that), and a lane that fails
 * alone goes job by job (`runAlone`), so a poisoned job hurts only itself.
 *
 * A holder that died (`lease.inherited`) may have been killed by a job it had in hand. What it can
 * have had in hand, one claim, is marked `running`, with that one death, and committed lane by lane.
 * If that is cut off too, or kills this worker, whoever takes the lane next finds the marks and runs
 * each of those jobs alone (suspects.ts): what happens to run beside the culprit must not be blamed
 * for it. So the third death has one job's name on it, and so has a cut that a job brings about.
 */
export class TransactionalDrains {
  private readonly express: Batchers;
  private readonly bulk: Batchers;
  /**
   * Lanes that found a row locked, with their workspaces: they commit by themselves, one after the
   * other, until one of the workspace's gets through. Then all of them travel together again.
   */
  private readonly blocked = new Map<string, string>();
  private readonly blockedCommits: Batcher<CommitItem, CommitResult>;
  private readonly suspects: Suspects;
  private readonly db: Database;
  private readonly keeper: LeaseKeeper;
  private readonly handler: TransactionalHandler;
  private readonly worker: string;
  private readonly inHand: InHand;

  constructor(options: {
    db: Database;
    keeper: LeaseKeeper;
    queue: QueueName;
    handler: TransactionalHandler;
    worker: string;
    inHand: InHand;
  }) {
    this.db = options.db;
    this.keeper = options.keeper;
    this.handler = options.handler;
    this.worker = options.worker;
    this.inHand = options.inHand;
    this.express = this.createBatchers(options.queue);
    this.bulk = this.createBatchers(options.queue);
    this.blockedCommits = new Batcher({
      maxItems: 1,
      maxQueued: MAX_BLOCKED_WAITING,
      maxQueuedOfGroup: MAX_BLOCKED_WAITING_OF_WORKSPACE,
      groupOf: (item) => item.lease.workspaceId,
      run: (items) => this.commit(items),
    });
    this.suspects = new Suspects({
      db: this.db,
      worker: this.worker,
      commit: (lease, job) => this.commitAlone(lease, job),
      pauseForLock: (lease, job) => this.pauseForLock(lease, job),
    });
  }

  private createBatchers(queue: QueueName): Batchers {
    return {
      claims: new Batcher({
        maxItems: 200,
        isShared: isUnavailable,
        run: (leases) =>
          claimInOrder(
            this.db,
            queue,
            leases.map((lease) => ({ lease, limit: CLAIM_LIMIT })),
          ),
      }),
      commits: new Batcher({
        maxItems: 200,
        maxWeight: MAX_COMMIT_JOBS,
        weigh: (item) => item.jobs.length,
        isShared: isUnavailable,
        run: (items) =>
          commitOrApart(items, {
            together: (all) => this.commit(all),
            alone: async (item) => only(await this.commit([item], ALONE_LOCK_TIMEOUT_MS)),
            workspaceOf: (item) => item.lease.workspaceId,
          }),
      }),
    };
  }

  async drain(held: HeldLane, turn: TurnControl): Promise<DrainEnd> {
    const { lease } = held;
    const { claims, commits } = held.express ? this.express : this.bulk;
    let suspect = lease.inherited;
    let { firstClaim } = held;
    held.firstClaim = null;
    for (;;) {
      if (held.lost) return { handedBack: false };
      const claim = firstClaim ?? (await claims.add(lease));
      firstClaim = null;
      const left = claim.jobs.filter((job) => job.state === "running");
      if (left.length > 0) {
        if (await this.suspects.settleLeft(lease, left)) continue;
        if (await this.keeper.release(held, claim.seq, JUDGE_AGAIN_MS))
          return { handedBack: true, dueInMs: JUDGE_AGAIN_MS };
        if (await this.isLost(held)) return { handedBack: false };
        continue;
      }
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
      if (head.deaths > 0) {
        await this.suspects.run(lease, head);
        continue;
      }
      const jobs = firstUnharmed(due);
      const isAll = claim.jobs.length === jobs.length && claim.jobs.length < CLAIM_LIMIT;
      const item = { lease, jobs, releaseSeq: isAll ? claim.seq : null };
      const result = await this.commitOrNull(item, commits, { marked: suspect });
      suspect = false;
      if (result === "lost") return { handedBack: false };
      if (result === "released") {
        this.keeper.forget(held);
        return { handedBack: true, dueInMs: null };
      }
      if (result === null) await this.runOneByOne(lease, jobs);
    }
  }

  /** Null when the lane failed even alone: its jobs must be tried one by one. */
  private async commitOrNull(
    item: CommitItem,
    commits: Batchers["commits"],
    { marked }: { marked: boolean },
  ): Promise<CommitResult | null> {
    const { lease, jobs } = item;
    try {
      if (marked) {
        // The holder before may have died of one of them.
        await this.suspects.mark(lease, jobs, 1);
        return only(await this.commit([item]));
      }
      const isBlocked = this.blocked.has(lease.lane);
      const result = await (isBlocked ? this.blockedCommits : commits).add(item);
      if (isBlocked) this.unblock(lease.workspaceId);
      return result;
    } catch (error) {
      if (error instanceof LeaseLost || isUnavailable(error)) throw error;
      if (error instanceof ClaimStale) return "done";
      if (!isLockTimeout(error) && !(error instanceof Overloaded)) return null;
      if (this.blocked.size < MAX_BLOCKED) this.blocked.set(lease.lane, lease.workspaceId);
      const [head] = jobs;
      if (head !== undefined) await this.pauseForLock(lease, head);
      return "done";
    }
  }

  private unblock(workspaceId: string): void {
    for (const [lane, workspace] of this.blocked) {
      if (workspace === workspaceId) this.blocked.delete(lane);
    }
  }

  /** Nothing is wrong with a job that needs a row which somebody else has locked. */
  private async pauseForLock(lease: Lease, job: ClaimedJob): Promise<void> {
    const untilMs = Date.now() + blockedPauseMs(this.blocked.size);
    const outcome: Outcome = { type: "pause", untilMs, reason: "a row it writes is locked" };
    await this.record(lease, job, { outcome, runMs: LOCK_TIMEOUT_MS });
  }

  private async runOneByOne(lease: Lease, jobs: ClaimedJob[]): Promise<void> {
    for (const job of jobs) {
      const completed = await this.runAlone(lease, job);
      // Strict order: what waits for its retry holds the lane; the next claim decides.
      if (!completed) return;
    }
  }

  /** One job in a transaction of its own; its failure is recorded. Answers whether it completed. */
  private async runAlone(lease: Lease, job: ClaimedJob): Promise<boolean> {
    const startedMs = performance.now();
    let outcome: Outcome;
    try {
      await this.commitAlone(lease, job);
      return true;
    } catch (error) {
      if (error instanceof LeaseLost || isUnavailable(error)) throw error;
      if (error instanceof ClaimStale) return false;
      if (isLockTimeout(error)) {
        await this.pauseForLock(lease, job);
        return false;
      }
      outcome = outcomeOfError(error);
    }
    const runMs = performance.now() - startedMs;
    await this.record(lease, job, { outcome, runMs });
    return false;
  }

  /** Throws what the job failed of. */
  private async commitAlone(lease: Lease, job: ClaimedJob): Promise<void> {
    const item = { lease, jobs: [job], releaseSeq: null };
    const result = only(await this.commit([item]));
    if (result === "lost") throw new LeaseLost(`lane ${lease.lane} has another holder`);
  }

  private async record(
    lease: Lease,
    job: ClaimedJob,
    { outcome, runMs }: { outcome: Outcome; runMs: number },
  ): Promise<void> {
    await this.db.transaction(async (tx) => {
      await mustHold(tx, lease);
      const end = { job, attempt: job.attempts + 1, begun: null, outcome, runMs };
      const options = { worker: this.worker, nowMs: Date.now(), wasRunning: false };
      await recordOutcomes(tx, [end], options);
    });
  }

  private async isLost(held: HeldLane): Promise<boolean> {
    const stillHeld = await this.db.transaction((tx) => fence(tx, [held.lease]));
    if (stillHeld.size > 0) return false;
    this.keeper.forget(held);
    return true;
  }

  /** Lanes that turn out to be lost are left out, and the rest is tried again. */
  private async commit(
    items: CommitItem[],
    lockTimeoutMs = LOCK_TIMEOUT_MS,
  ): Promise<CommitResult[]> {
    const lost = new Set<string>();
    for (;;) {
      const rest = items.filter((item) => !lost.has(item.lease.lane));
      if (rest.length === 0) return items.map(() => "lost");
      try {
        const released = await this.commitAll(rest, lockTimeoutMs);
        return items.map(({ lease: { lane } }) =>
          lost.has(lane) ? "lost" : released.has(lane) ? "released" : "done",
        );
      } catch (error) {
        if (!(error instanceof LanesLost)) throw error;
        for (const lane of error.lanes) lost.add(lane);
      }
    }
  }

  /** All or nothing; answers the lanes that were handed back. */
  private async commitAll(items: CommitItem[], lockTimeoutMs: number): Promise<Set<string>> {
    const startedMs = performance.now();
    const first = items.slice(0, MAX_NOTED).flatMap(({ jobs }) => jobs.slice(0, MAX_NOTED));
    const noted = first
      .slice(0, MAX_NOTED)
      .map((job) => job.id)
      .join(", ");
    const ended = this.inHand.begin(`${items[0]?.lease.queue} jobs ${noted}`);
    const committed = this.db.transaction(
      async (tx) => {
        await this.handler.run(
          tx,
          items.map(({ lease: { lane, workspaceId }, jobs }) => ({ lane, workspaceId, jobs })),
        );
        const runMs = performance.now() - startedMs;
        const { held, released, completed } = await finishLanes(tx, items, {
          worker: this.worker,
          runMs,
        });
        const missing = items.filter((item) => !held.has(item.lease.lane));
        if (missing.length > 0)
          throw new LanesLost(new Set(missing.map((item) => item.lease.lane)));
        const expected = items.reduce((sum, item) => sum + item.jobs.length, 0);
        if (completed !== expected) throw new ClaimStale("a job was changed by hand");
        return released;
      },
      { lockTimeoutMs },
    );
    return committed.finally(ended);
  }
}

/** The result of a commit of one lane. */
const only = (results: CommitResult[]): CommitResult => results[0] ?? "lost";

/** The jobs at the front of a strict lane that may run now: none while the head waits. */
function firstDue(jobs: ClaimedJob[]): ClaimedJob[] {
  const waiting = jobs.findIndex((job) => job.dueInMs > 0);
  return waiting === -1 ? jobs : jobs.slice(0, waiting);
}

/** The jobs at the front in whose hands no worker died. */
function firstUnharmed(due: ClaimedJob[]): ClaimedJob[] {
  const harmed = due.findIndex((job) => job.deaths > 0);
  return harmed === -1 ? due : due.slice(0, harmed);
}
