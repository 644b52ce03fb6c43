import {
  type Database,
  isLockTimeout,
  isOfItsData,
  isUnavailable,
  type Logger,
  sqlState,
} from "../platform/index.ts";
import {
  type Attempts,
  type BegunAttempt,
  Busy,
  newKeyOf,
  type RecordedEnd,
  type RecordWay,
} from "./attempts.ts";
import {
  type Claim,
  type ClaimedJob,
  claimFree,
  claimHeads,
  claimInOrder,
  nextDueInMs,
} from "./claim.ts";
import { LeaseLost, outcomeOfError } from "./errors.ts";
import type { InHand } from "./in-hand.ts";
import { fence, mustHold } from "./lease.ts";
import type { HeldLane, LeaseKeeper } from "./lease-keeper.ts";
import { countDeaths, killedWorkers, MAX_DEATHS } from "./outcome.ts";
import type { DrainEnd, TurnControl } from "./pool.ts";
import { SameKeys } from "./rekey-jobs.ts";
import type { Choice, ExternalHandler, Job, LaneOrder, LaneRunner, Outcome } from "./types.ts";

const CLAIM_LIMIT = 200;
/** Claims that may be repeated without the keys that turned out to wait, before the drain looks at the clock again. */
const CLAIM_ROUNDS = 20;
/** While something is in flight, a job that another process enqueued is seen within this time. */
const POLL_MS = 25;
/** A lane that may go on within this time keeps its lease; a longer wait hands it back. */
const LINGER_MS = 50;
const RECORD_RETRY_MS = 200;
const BUSY_RETRY_MS = 100;
/** So often an outcome waits, alone, for a row of its consequences: about half a minute. */
const MAX_LOCK_TIMEOUTS = 25;
/** While the database is away, it is asked this often whether it is back. */
const CUT_OFF_MS = 200;
/** So often an error of nobody knows what is taken for one that passes. */
const MAX_STRANGE_ERRORS = 10;

export interface ExternalDrainOptions {
  db: Database;
  keeper: LeaseKeeper;
  handler: ExternalHandler;
  order: LaneOrder;
  /** Jobs of one lane that may be in flight at once; 1 in a strict queue. */
  concurrency: number;
  attempts: Attempts;
  inHand: InHand;
  log: Logger;
}

/** What becomes of an orphan where its handler has nothing to say. */
const NEVER_LEFT: { outcome: Outcome; own?: unknown } = {
  outcome: { type: "pause", untilMs: 0, reason: "cut off before it left" },
};
const DIED: typeof NEVER_LEFT = {
  outcome: {
    type: "retry",
    errorClass: "WorkerDied",
    error: "a worker died with this job in hand",
  },
};

/** The claim that ended a round of starts, and when a held key may go on. */
interface Started {
  seq: string;
  claimedAt: string;
  isEmpty: boolean;
  untilMs: number | null;
}

/**
 * One drain of a lane whose jobs reach outside Postgres, one attempt at a time:
 *
 *   begin   a transaction under the lane's fence marks the job running and counts the attempt
 *   run     the outside call, outside any transaction
 *   end     a transaction records the outcome by attempt, whether the lease is still held or not
 *
 * What a dead holder left running holds its key until it is settled (`orphan`). The lane is handed back as soon as
 * nothing is in flight and nothing may start for a while, with the time at which something may.
 */
export class ExternalDrain {
  private readonly options: ExternalDrainOptions;
  private readonly held: HeldLane;
  private readonly turn: TurnControl;
  private readonly inFlight = new Map<string, { key: string | null; ended: Promise<void> }>();
  private readonly orphans = new Map<string, { job: ClaimedJob; askAtMs: number }>();
  private readonly sameKeys = new SameKeys();
  private cutOffUntilMs = 0;
  private wakeUp: () => void = () => {};
  private news = false;

  constructor(options: ExternalDrainOptions, held: HeldLane, turn: TurnControl) {
    this.options = options;
    this.held = held;
    this.turn = turn;
  }

  async run(): Promise<DrainEnd> {
    const { lease } = this.held;
    this.held.nudge = () => this.notify();
    const runner = await this.options.handler.open(lease);
    try {
      return await this.loop(runner);
    } finally {
      await Promise.all([...this.inFlight.values()].map((flight) => flight.ended));
      await runner.close?.();
    }
  }

  private async loop(runner: LaneRunner): Promise<DrainEnd> {
    for (;;) {
      if (this.held.lost) return { handedBack: false };
      this.news = false;
      try {
        const end = await this.look(runner);
        if (end !== null) return end;
      } catch (error) {
        // To leave would be to wait for calls under way, which may hang, with the lease in hand. The
        // lane goes on once the database is back, unless the lease has run out by then.
        if (!isUnavailable(error) || this.turn.isOver()) throw error;
        this.cutOff();
      }
    }
  }

  /** Starts what may start, then waits for news or hands the lane back; null: look again. */
  private async look(runner: LaneRunner): Promise<DrainEnd | null> {
    const awayMs = this.cutOffUntilMs - performance.now();
    const over = this.turn.isOver();
    if (awayMs > 0 && !over) {
      await this.waitForNews(awayMs);
      return null;
    }
    await this.settleOrphans(runner);
    // With no room there is nothing to claim, and what ends meanwhile may change what goes first.
    const isFull = this.inFlight.size >= this.options.concurrency;
    const started = over || isFull ? null : await this.startReady(runner);
    if (this.inFlight.size > 0) {
      await this.waitForNews(POLL_MS);
      return null;
    }
    return over ? await this.endTurn() : await this.tryToHandBack(started);
  }

  /** The database is away: nothing is started for a moment. */
  private cutOff(): void {
    this.cutOffUntilMs = performance.now() + CUT_OFF_MS;
  }

  /** Starts what may start. Answers the claim that ended it, and when a held key may go on. */
  private async startReady(runner: LaneRunner): Promise<Started> {
    const blocked = new Set<string>();
    // Of the first round: a head that waited then may be due by a later one, where it is left out.
    let claimedAt: string | null = null;
    let untilMs: number | null = null;
    const earlier = (ms: number | null) => {
      if (ms !== null) untilMs = untilMs === null ? ms : Math.min(untilMs, ms);
    };
    for (let round = 1; ; round++) {
      const held = runner.held?.(Date.now()) ?? { keys: [], untilMs: null };
      earlier(held.untilMs);
      const claim = await this.claim([...held.keys, ...blocked]);
      claimedAt ??= claim.claimedAt;
      const ready = claim.jobs.filter((job) => this.mayStart(job));
      const waiting = claim.jobs.filter((job) => !this.mayStart(job));
      while (ready.length > 0 && this.inFlight.size < this.options.concurrency) {
        const choice: Choice = runner.choose?.(ready, Date.now()) ?? { job: mostUrgent(ready) };
        if ("waitUntilMs" in choice) {
          earlier(choice.waitUntilMs);
          return { ...claim, claimedAt, untilMs };
        }
        const chosen = ready.splice(
          ready.findIndex((job) => job.id === choice.job.id),
          1,
        );
        for (const job of chosen) this.start(runner, job);
      }
      // Keys whose head waits would fill the window and hide the others: look again without them.
      const keys = waiting.flatMap((job) => job.orderingKey ?? []);
      const full = claim.jobs.length > 0 && this.options.order === "per-key";
      if (!full || keys.length === 0 || this.inFlight.size > 0 || round === CLAIM_ROUNDS) {
        return { ...claim, claimedAt, untilMs };
      }
      for (const key of keys) blocked.add(key);
    }
  }

  private mayStart(job: ClaimedJob): boolean {
    return job.state !== "running" && job.dueInMs <= 0;
  }

  /** Claims, and notes what is marked running though nobody here runs it. */
  private async claim(heldKeys: string[]): Promise<Claim> {
    // What ends while the claim is under way may still be running in it.
    const own = new Set(this.inFlight.keys());
    const keysVersion = this.sameKeys.version;
    const claim = await this.claimJobs(heldKeys);
    // Two keys became one meanwhile: the head that was read may not be theirs.
    if (this.sameKeys.version !== keysVersion) return this.claim(heldKeys);
    for (const job of claim.jobs) {
      if (job.state !== "running" || own.has(job.id) || this.orphans.has(job.id)) continue;
      this.orphans.set(job.id, { job, askAtMs: 0 });
    }
    return claim;
  }

  private async claimJobs(heldKeys: string[]): Promise<Claim> {
    const { db, order } = this.options;
    const { lease } = this.held;
    if (order === "free") return claimFree(db, lease, [...this.inFlight.keys()], CLAIM_LIMIT);
    if (order === "per-key") {
      const busy = [...this.inFlight.values()].flatMap(({ key }) =>
        key === null ? [] : [...this.sameKeys.of(key)],
      );
      return claimHeads(db, lease, [...heldKeys, ...busy], CLAIM_LIMIT);
    }
    const [claim] = await claimInOrder(db, lease.queue, [{ lease, limit: 1 }]);
    return claim as Claim;
  }

  private start(runner: LaneRunner, job: ClaimedJob): void {
    const ended = this.attempt(runner, job).finally(() => {
      this.inFlight.delete(job.id);
      this.notify();
    });
    this.inFlight.set(job.id, { key: job.orderingKey, ended });
  }

  /** Null when it did not begin: there is nothing to run. */
  private async begin(job: ClaimedJob): Promise<BegunAttempt | null> {
    for (;;) {
      try {
        return await this.options.attempts.begin(this.held.lease, job);
      } catch (error) {
        if (error instanceof Busy) {
          if (this.held.lost || this.turn.isOver()) return null;
          // It was chosen, and what its pace allows has been counted: it is not chosen again.
          await new Promise((resolve) => setTimeout(resolve, BUSY_RETRY_MS));
          continue;
        }
        if (error instanceof LeaseLost) this.held.lost = true;
        else if (isUnavailable(error)) this.cutOff();
        else await this.recordFailedBegin(job, error);
        return null;
      }
    }
  }

  private async attempt(runner: LaneRunner, job: ClaimedJob): Promise<void> {
    const { log, inHand } = this.options;
    const begun = await this.begin(job);
    if (begun === null) {
      runner.notBegun?.(job);
      return;
    }
    const ended = inHand.begin(`${job.queue} job ${job.id}`);
    const startedMs = performance.now();
    let outcome: Outcome;
    try {
      outcome = await runner.run(job, this.turn.stopNow, begun.own);
    } catch (error) {
      outcome = outcomeOfError(error);
    }
    // Known before it is written: from now on, and until this job has left, both keys are busy.
    const newKey = newKeyOf(outcome);
    if (newKey !== null && job.orderingKey !== null) this.sameKeys.join(job.orderingKey, newKey);
    ended();
    const runMs = performance.now() - startedMs;
    await this.record({ job, ...begun, outcome, runMs }).catch((error) =>
      log.error({ err: error, jobId: job.id }, "an outcome could not be recorded"),
    );
  }

  /** `begin` itself failed, before anything left: an attempt that failed. */
  private async recordFailedBegin(job: ClaimedJob, error: unknown): Promise<void> {
    const outcome = outcomeOfError(error);
    const end = { job, attempt: job.attempts + 1, begun: null, own: null, outcome, runMs: 0 };
    try {
      await this.options.db.transaction(async (tx) => {
        await mustHold(tx, this.held.lease);
        await this.options.attempts.recordIn(tx, [end], { wasRunning: false });
      });
    } catch (failure) {
      const context = { err: failure, jobId: job.id };
      this.options.log.error(context, "a failed begin could not be recorded");
      this.turn.end();
    }
  }

  /**
   * A known outcome must not be lost: forgotten, the job would be taken for one whose worker died,
   * and what has been sent would be sent again. So it is tried until the worker stops, whatever the
   * database says, and without its consequences (`finish`) where those are what fails.
   */
  private async record(end: RecordedEnd): Promise<void> {
    const way: RecordWay = { together: true, consequences: "all" };
    let strange = 0;
    let locked = 0;
    for (;;) {
      try {
        await this.options.attempts.record(end, way);
        return;
      } catch (error) {
        // What failed together has been tried alone by now.
        if (this.turn.stopNow.aborted) throw error;
        way.together = isUnavailable(error);
        if (sqlState(error) === undefined && !isUnavailable(error)) strange++;
        if (isLockTimeout(error) && ++locked > MAX_LOCK_TIMEOUTS) way.consequences = "essential";
        if (isOfItsData(error) || strange > MAX_STRANGE_ERRORS) {
          if (way.consequences === "none") throw error;
          way.consequences = "none";
          const context = { err: error, jobId: end.job.id };
          this.options.log.error(context, "an outcome is recorded without its consequences");
          continue;
        }
        if (isUnavailable(error)) this.cutOff();
        else this.turn.end();
        await new Promise((resolve) => setTimeout(resolve, RECORD_RETRY_MS));
      }
    }
  }

  private async settleOrphans(runner: LaneRunner): Promise<void> {
    for (const orphan of [...this.orphans.values()]) {
      if (orphan.askAtMs > Date.now()) continue;
      const { job } = orphan;
      const neverLeft = this.options.attempts.neverLeft(job);
      let { outcome, own = null } =
        (await runner.orphan?.(job, { neverLeft })) ?? (neverLeft ? NEVER_LEFT : DIED);
      if (outcome.type === "pause" && !neverLeft) {
        orphan.askAtMs = outcome.untilMs;
        continue;
      }
      await this.options.db.transaction(async (tx) => {
        await mustHold(tx, this.held.lease);
        if (!neverLeft) {
          const deaths = (await countDeaths(tx, [job], { asAttempts: false })).get(job.id) ?? 0;
          if (deaths >= MAX_DEATHS && outcome.type === "retry") outcome = killedWorkers(job.worker);
        }
        const end = { job, attempt: job.attempts, begun: job.begun, own, outcome, runMs: 0 };
        await this.options.attempts.recordIn(tx, [end], { wasRunning: true });
      });
      this.orphans.delete(job.id);
    }
  }

  private async endTurn(): Promise<DrainEnd> {
    const released = await this.options.keeper.release(this.held, "-1", "unchanged");
    return released ? { handedBack: true, dueInMs: 0 } : { handedBack: false };
  }

  /** Null when the lane has news, or may go on so soon that its lease is kept. */
  private async tryToHandBack(started: Started | null): Promise<DrainEnd | null> {
    if (started === null || this.news) return null;
    const now = Date.now();
    const waits = [...this.orphans.values()].map((orphan) => orphan.askAtMs - now);
    if (started.untilMs !== null) waits.push(started.untilMs - now);
    const nextInMs = started.isEmpty
      ? null
      : await nextDueInMs(this.options.db, this.held.lease, started.claimedAt);
    if (nextInMs !== null) waits.push(nextInMs);
    const dueInMs = waits.length === 0 ? null : Math.max(1, Math.min(...waits));
    if (dueInMs !== null && dueInMs <= LINGER_MS) {
      await this.waitForNews(dueInMs);
      return null;
    }
    const released = await this.options.keeper.release(this.held, started.seq, dueInMs);
    if (released) return { handedBack: true, dueInMs };
    return (await this.stillHeld()) ? null : { handedBack: false };
  }

  private async stillHeld(): Promise<boolean> {
    const held = await this.options.db.transaction((tx) => fence(tx, [this.held.lease]));
    return held.size > 0;
  }

  private notify(): void {
    this.news = true;
    this.wakeUp();
  }

  /** Until something ended, somebody nudged, the worker stops, or `timeoutMs` went by. */
  private async waitForNews(timeoutMs: number): Promise<void> {
    if (this.news) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wakeUp = () => {};
  }
}

function mostUrgent(ready: Job[]): Job {
  return ready.reduce((best, job) =>
    job.priority < best.priority || (job.priority === best.priority && isOlder(job, best))
      ? job
      : best,
  );
}

function isOlder(a: Job, b: Job): boolean {
  return BigInt(a.id) < BigInt(b.id);
}
