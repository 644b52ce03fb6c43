import { ClockWatch, type Database, isUnavailable, type Logger } from "../platform/index.ts";
import { type Attempts, type BegunAttempt, Busy, newKeyOf } from "./attempts.ts";
import { type Claim, type ClaimedJob, claimFree, claimInOrder, nextDueInMs } from "./claim.ts";
import { ClassShare } from "./class-share.ts";
import { LeaseLost, outcomeOfError } from "./errors.ts";
import type { InHand } from "./in-hand.ts";
import type { KeyedClaim, KeyedLane } from "./keyed-lane.ts";
import type { LaneMemories } from "./lane-memories.ts";
import { fence } from "./lease.ts";
import type { HeldLane, LeaseKeeper } from "./lease-keeper.ts";
import { Orphans } from "./orphans.ts";
import type { DrainEnd, TurnControl } from "./pool.ts";
import { type Recording, recordFailedBegin, recordKnown } from "./record-known.ts";
import { SameKeys } from "./rekey-jobs.ts";
import type { ExternalHandler, LaneOrder, LaneRunner, Outcome } from "./types.ts";

const CLAIM_LIMIT = 200;
/** While something is in flight, a job that another process enqueued is seen within this time. */
const POLL_MS = 25;
/**
 * While others are in flight, what ended makes room for a claim once it is a third of them, or after this
 * time: a claim, and a commit, for each one that ends would be most of the work of a busy lane.
 */
const GATHER_MS = 15;
const GATHER_SHARE = 1 / 3;
/** A lane that may go on within this time keeps its lease; a longer wait hands it back. */
const LINGER_MS = 50;
/** So long, where nothing of it may start earlier and nobody waits for its slot (decision 0045). */
const LONG_LINGER_MS = 2_000;
/** A drain that is older than this does not: what a runner reads when it is opened is read again. */
const KEPT_MS = 60_000;
const BUSY_RETRY_MS = 100;
/** While the database is away, it is asked this often whether it is back. */
const CUT_OFF_MS = 200;

export interface ExternalDrainOptions {
  db: Database;
  keeper: LeaseKeeper;
  handler: ExternalHandler;
  order: LaneOrder;
  /** Jobs of one lane that may be in flight at once; 1 in a strict queue. */
  concurrency: number;
  attempts: Attempts;
  memories: LaneMemories;
  inHand: InHand;
  log: Logger;
}

/** A claim, and whether it looked at everything there is; otherwise it found something to start. */
type WholeClaim = Claim & Pick<KeyedClaim, "isWhole" | "nextMs">;

/** The claim of a round of starts, and when something that waits may go on. */
interface Started {
  seq: string;
  claimedAt: string;
  isEmpty: boolean;
  untilMs: number | null;
  /** Until then nothing may start, whatever comes. */
  allUntilMs?: number;
  /** False: not everything was looked at yet. */
  mayHandBack: boolean;
}

/**
 * One drain of a lane whose jobs reach outside Postgres, one attempt at a time:
 *
 *   begin   a transaction under the lane's fence marks the job running and counts the attempt
 *   run     the outside call, outside any transaction
 *   end     a transaction records the outcome by attempt, whether the lease is still held or not
 *
 * What a dead holder left running holds its key until it is settled (`orphan`). The lane is handed back once
 * nothing is in flight and nothing may start for a while (`linger`), with the time at which something may.
 */
export class ExternalDrain {
  private readonly options: ExternalDrainOptions;
  private readonly held: HeldLane;
  private readonly turn: TurnControl;
  private readonly inFlight = new Map<string, { key: string | null; ended: Promise<void> }>();
  private readonly orphans: Orphans;
  private readonly sameKeys = new SameKeys();
  private readonly share = new ClassShare();
  /** Null in a queue that is not ordered per key. */
  private readonly keyed: KeyedLane | null;
  private readonly clock = new ClockWatch();
  private readonly openedMs = performance.now();
  private cutOffUntilMs = 0;
  private claimedMs = Number.NEGATIVE_INFINITY;
  private wakeUp: () => void = () => {};
  private news = false;

  constructor(options: ExternalDrainOptions, held: HeldLane, turn: TurnControl) {
    this.options = options;
    this.held = held;
    this.turn = turn;
    this.orphans = new Orphans(options, held.lease);
    const isKeyed = options.order === "per-key";
    this.keyed = isKeyed ? options.memories.take(held.lease.lane) : null;
  }

  async run(): Promise<DrainEnd> {
    const { lease } = this.held;
    this.held.nudge = () => this.notify();
    const runner = await this.options.handler.open(lease);
    try {
      return await this.loop(runner);
    } finally {
      await Promise.all([...this.inFlight.values()].map((flight) => flight.ended));
      if (this.keyed !== null) this.options.memories.give(lease.lane, this.keyed);
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
    // By times of a clock that was set since, the lane would be handed back for hours: the next drain's
    // are its own.
    const over = this.turn.isOver() || this.clock.hasJumped();
    if (awayMs > 0 && !over) {
      await this.waitForNews(awayMs);
      return null;
    }
    for (const job of await this.orphans.settle(runner)) this.keyed?.touch(job);
    // With no room there is nothing to claim, and what ends meanwhile may change what goes first.
    const room = over ? 0 : this.roomOf(runner);
    const gatherMs = this.gatherMs(room);
    const started = room === 0 || gatherMs > 0 ? null : await this.startReady(runner);
    if (this.inFlight.size > 0) {
      await this.waitForNews(gatherMs > 0 ? gatherMs : POLL_MS);
      return null;
    }
    return over ? await this.endTurn() : await this.tryToHandBack(runner, started);
  }

  /** The database is away: nothing is started for a moment. */
  private cutOff(): void {
    this.cutOffUntilMs = performance.now() + CUT_OFF_MS;
  }

  /** How many more of the lane's jobs may be in flight now. */
  private roomOf(runner: LaneRunner): number {
    const wanted = Math.floor(runner.concurrency?.() ?? Number.POSITIVE_INFINITY);
    const most = Math.max(1, Math.min(this.options.concurrency, wanted));
    return Math.max(0, most - this.inFlight.size);
  }

  /** How long what ends is gathered before the next claim. */
  private gatherMs(room: number): number {
    if (room >= this.inFlight.size * GATHER_SHARE) return 0;
    return this.claimedMs + GATHER_MS - performance.now();
  }

  /** Starts what may start. Answers the claim it started from, and when what waits may go on. */
  private async startReady(runner: LaneRunner): Promise<Started> {
    this.claimedMs = performance.now();
    const held = runner.held?.(Date.now()) ?? { keys: [], untilMs: null };
    const claim = await this.claim(held.keys, this.roomOf(runner));
    const untilMs = earliest(held.untilMs, claim.nextMs);
    const ready = claim.jobs.filter((job) => job.state !== "running" && job.dueInMs <= 0);
    const isNone = ready.length === 0;
    while (ready.length > 0 && this.roomOf(runner) > 0) {
      const inOrder = this.share.inOrder(ready);
      const choice = runner.choose?.(inOrder, Date.now()) ?? { job: inOrder[0] };
      if ("waitUntilMs" in choice) {
        const { waitUntilMs, forAll } = choice;
        const allUntilMs = forAll ? waitUntilMs : undefined;
        return { ...claim, untilMs: earliest(untilMs, waitUntilMs), allUntilMs, mayHandBack: true };
      }
      const chosen = ready.find((job) => job.id === choice.job?.id);
      if (chosen === undefined) throw new Error("what was chosen is not ready");
      this.share.chose(chosen, ready);
      ready.splice(ready.indexOf(chosen), 1);
      this.start(runner, chosen);
    }
    return { ...claim, untilMs, mayHandBack: !isNone || claim.isWhole };
  }

  /** Claims, and notes what is marked running though nobody here runs it. */
  private async claim(heldKeys: string[], room: number): Promise<WholeClaim> {
    // What ends while the claim is under way may still be running in it.
    const own = new Set(this.inFlight.keys());
    const keysVersion = this.sameKeys.version;
    const { keyed } = this;
    if (keyed === null) {
      const claim = await this.claimUnkeyed();
      const running = claim.jobs.filter((job) => job.state === "running" && !own.has(job.id));
      for (const job of running) this.orphans.note(job);
      return { ...claim, isWhole: true, nextMs: null };
    }
    const busy = [...this.inFlight.values()].flatMap(({ key }) =>
      key === null ? [] : [...this.sameKeys.of(key)],
    );
    const blockedKeys = [...heldKeys, ...busy];
    const claim = await keyed.claim({ blockedKeys, ownIds: [...own], room });
    const unknown = claim.running.filter(({ id }) => !this.orphans.has(id));
    const left = await keyed.running(unknown.map(({ id }) => id));
    for (const job of left) this.orphans.note(job);
    // A holder that lost the lease has just recorded what became of the others.
    const hasNews = left.length < unknown.length;
    for (const { id, key } of hasNews ? unknown : []) {
      keyed.touch({ orderingKey: key, id, priority: 0 });
    }
    const isWhole = claim.isWhole && !hasNews;
    // Two keys became one meanwhile: the head that was read may not be theirs.
    const isTrue = this.sameKeys.version === keysVersion;
    return isTrue ? { ...claim, isWhole } : this.claim(heldKeys, room);
  }

  private async claimUnkeyed(): Promise<Claim> {
    const { db, order } = this.options;
    const { lease } = this.held;
    if (order === "free") return claimFree(db, lease, [...this.inFlight.keys()], CLAIM_LIMIT);
    const [claim] = await claimInOrder(db, lease.queue, [{ lease, limit: 1 }]);
    return claim as Claim;
  }

  private start(runner: LaneRunner, job: ClaimedJob): void {
    const ended = this.attempt(runner, job).finally(() => {
      this.inFlight.delete(job.id);
      // Also the key that its jobs may have moved to.
      for (const orderingKey of this.sameKeys.of(job.orderingKey ?? "")) {
        this.keyed?.touch({ ...job, orderingKey });
      }
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
    if (newKey !== null && job.orderingKey !== null) {
      this.sameKeys.join(job.orderingKey, newKey);
      this.keyed?.restart();
    }
    ended();
    const runMs = performance.now() - startedMs;
    await recordKnown({ job, ...begun, outcome, runMs }, this.recording()).catch((error) =>
      log.error({ err: error, jobId: job.id }, "an outcome could not be recorded"),
    );
  }

  private recordFailedBegin(job: ClaimedJob, error: unknown): Promise<void> {
    return recordFailedBegin({ job, error, lease: this.held.lease }, this.recording());
  }

  private recording(): Recording {
    const { db, attempts, log } = this.options;
    return { db, attempts, log, turn: this.turn, onCut: () => this.cutOff() };
  }

  private async endTurn(): Promise<DrainEnd> {
    const released = await this.options.keeper.release(this.held, "-1", "unchanged");
    return released ? { handedBack: true, dueInMs: 0 } : { handedBack: false };
  }

  /** Null when the lane has news, or may go on so soon that its lease is kept. */
  private async tryToHandBack(
    runner: LaneRunner,
    started: Started | null,
  ): Promise<DrainEnd | null> {
    if (started === null || !started.mayHandBack || this.news || this.clock.hasJumped())
      return null;
    const asks = this.orphans.askTimes();
    if (await this.linger(runner, Math.min(started.allUntilMs ?? 0, ...asks))) return null;
    const now = Date.now();
    const waits = asks.map((askAtMs) => askAtMs - now);
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

  /**
   * Keeps the lane until then, as long as nobody waits for its slot. False: it is not worth it, or not
   * to be kept any more.
   */
  private async linger(runner: LaneRunner, untilMs: number): Promise<boolean> {
    const waitMs = untilMs - Date.now();
    const isOld = performance.now() - this.openedMs > KEPT_MS;
    if (waitMs <= LINGER_MS || waitMs > LONG_LINGER_MS || isOld) return false;
    for (;;) {
      const leftMs = untilMs - Date.now();
      if (this.news || this.held.lost || this.clock.hasJumped()) return true;
      if (leftMs <= 0) break;
      if (this.turn.isWanted() || this.turn.isOver()) return false;
      await this.waitForNews(Math.min(leftMs, LINGER_MS));
    }
    await runner.refresh?.();
    return true;
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

function earliest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}
