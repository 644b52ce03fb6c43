import { setMaxListeners } from "node:events";
import { type Database, isUnavailable, type Logger } from "../platform/index.ts";
import { Attempts } from "./attempts.ts";
import { followClock } from "./clock-back.ts";
import { LeaseLost } from "./errors.ts";
import { ExternalDrain } from "./external-drain.ts";
import type { InHand } from "./in-hand.ts";
import { LaneMemories } from "./lane-memories.ts";
import { LaneReaders } from "./lane-reader.ts";
import type { Lease } from "./lease.ts";
import type { HeldLane, LeaseKeeper } from "./lease-keeper.ts";
import type { PauseWatch } from "./paused-queues.ts";
import { QUEUE_POLICIES } from "./policies.ts";
import { Slots } from "./slots.ts";
import { dueLanes } from "./sweep.ts";
import { CLAIM_LIMIT, TransactionalDrains } from "./transactional-drain.ts";
import type { WakeListener, WakeTransport } from "./transport.ts";
import type { ExternalHandler, Handler, QueueName } from "./types.ts";
import { isExpress, LAST_PRIORITY, type WakePriority } from "./wake-priority.ts";
import type { Wake } from "./wakes.ts";

/** How a drain ended. */
export type DrainEnd =
  /** The lane was released; `dueInMs` is when it has something to do again, null for nothing. */
  | { handedBack: true; dueInMs: number | null }
  /** The lease was lost. */
  | { handedBack: false };

type HandedBack = Extract<DrainEnd, { handedBack: true }> & { lease: Lease };

/** A drain's turn: when it must end by itself, and when it must stop at once. */
export interface TurnControl {
  /** True once the worker stops, or others wait for this slot and the time budget is used up. */
  isOver(): boolean;
  /** Others wait for this slot. */
  isWanted(): boolean;
  /** Ends this turn early. */
  end(): void;
  /** Aborts when the worker's time to stop is nearly used up. */
  stopNow: AbortSignal;
}

export interface PoolOptions {
  db: Database;
  keeper: LeaseKeeper;
  transport: WakeTransport;
  wake: Wake;
  queue: QueueName;
  handler: Handler;
  /** Name of this process in the ledger. */
  worker: string;
  inHand: InHand;
  log: Logger;
  /** While an operator has stopped this queue, drains end their turn. */
  pauses: PauseWatch;
  /** Lanes drained at once. */
  slots: number;
  /** Jobs of one lane in flight at once (external handlers). */
  laneConcurrency: number;
  sweepMs: number;
  /** How long a drain may keep its slot while others wait for one. */
  turnMs: number;
}

/**
 * Wakes taken from the transport at a time: enough to see that lanes wait for a slot, few enough
 * that a wake with a better priority is not kept behind them.
 */
const WAKES_IN_HAND = 2;
/** After so long without a wake the transport has nothing, or is away: due lanes are the sweep's. */
const NO_WAKES_MS = 200;
/** Of the longest overdue lanes so many go first when there is no slot: none waits for ever. */
const MIN_SWEPT = 8;
/** The sweep looks at so many lanes for each slot, to know whether there is more. */
const SWEPT_A_SLOT = 4;
/** Lanes that are due soon are drained by a timer of this process; the rest is the sweep's. */
const ALARM_WITHIN_MS = 60_000;
const MAX_ALARMS = 10_000;

/** What all drains of work at the outside share. */
interface External {
  handler: ExternalHandler;
  attempts: Attempts;
  memories: LaneMemories;
}

/**
 * A worker pool: a bounded number of drains of one queue, started by wakes, by the sweep, and by
 * alarms for lanes that this process handed back with a time in the near future.
 */
export class WorkerPool {
  private readonly options: PoolOptions;
  private readonly transactional: TransactionalDrains | null;
  private readonly external: External | null;
  private readonly draining = new Map<string, Promise<void>>();
  /** Lanes that were woken while this pool was draining them. */
  private readonly wokenAgain = new Map<string, WakePriority>();
  private readonly alarms = new Map<string, NodeJS.Timeout>();
  private readonly stopNow = new AbortController();
  private stopping = false;
  /** The last sweep found due lanes and no free slot: seen also while no wakes arrive. */
  private lanesWait = false;
  /** The last sweep found more due lanes than it had slots for. */
  private moreIsDue = false;
  /** The latest time of Postgres's that a sweep has seen, and when, by this process's clock. */
  private latestClock: string | null = null;
  private clockSeenMs = Number.NEGATIVE_INFINITY;
  private lastWakeMs = Number.NEGATIVE_INFINITY;
  private readonly slots: Slots;
  private sweepTimer: NodeJS.Timeout | undefined;
  private sweeping: Promise<void> | undefined;
  private listener: WakeListener | undefined;

  constructor(options: PoolOptions) {
    this.options = options;
    this.slots = new Slots(options.slots);
    // Every call under way listens to it.
    setMaxListeners(0, this.stopNow.signal);
    const { handler } = options;
    this.transactional =
      handler.mode === "transactional" ? new TransactionalDrains({ ...options, handler }) : null;
    this.external =
      handler.mode === "external"
        ? {
            handler,
            attempts: new Attempts({ ...options, handler }),
            memories: new LaneMemories(new LaneReaders(options.db, options.queue)),
          }
        : null;
  }

  async start(): Promise<void> {
    const { transport, queue, sweepMs } = this.options;
    this.listener = await transport.listen(queue, WAKES_IN_HAND, (lanes, priority) =>
      this.onWake(lanes, priority),
    );
    this.sweepTimer = setInterval(() => this.startSweep(), sweepMs);
  }

  /** Lanes being drained now. */
  get active(): number {
    return this.draining.size;
  }

  /**
   * No new work; what runs may finish until `graceMs` have gone by, then outside calls are aborted.
   * What was not begun is handed back and costs no attempt.
   */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    clearInterval(this.sweepTimer);
    for (const alarm of this.alarms.values()) clearTimeout(alarm);
    this.alarms.clear();
    this.slots.close();
    const abort = setTimeout(() => this.stopNow.abort(), graceMs);
    const listenerClosed = this.listener?.close(graceMs + 1_000);
    const { keeper, queue } = this.options;
    for (const lane of this.draining.keys()) keeper.find(queue, lane)?.nudge();
    await this.sweeping;
    await Promise.all(this.draining.values());
    clearTimeout(abort);
    // BullMQ waits for a Redis that is away as long as it is let.
    let cut: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      cut = setTimeout(resolve, 1_000);
    });
    await Promise.race([listenerClosed, timeout]);
    clearTimeout(cut);
  }

  /**
   * A wake is answered once its lanes have their slots, not once they are drained: while one waits
   * for a slot, the wakes behind it stay with the transport, for other workers.
   */
  private async onWake(lanes: string[], priority: WakePriority): Promise<void> {
    const { keeper, queue, transport } = this.options;
    this.lastWakeMs = performance.now();
    for (const [n, lane] of lanes.entries()) {
      // The holder may be this process: it only needs to look again.
      keeper.find(queue, lane)?.nudge();
      if (await this.begin(lane, priority)) continue;
      transport.wake(queue, lanes.slice(n), priority);
      return;
    }
  }

  /** Begins to drain a lane as soon as it has a slot; false when this pool stops. */
  private async begin(lane: string, priority: WakePriority): Promise<boolean> {
    if (!this.isDraining(lane, priority)) {
      if (!(await this.slots.take(priority))) return false;
      // Another wake of this lane may have been faster while this one waited.
      if (this.isDraining(lane, priority)) this.slots.give();
      else void this.drain(lane, priority);
    }
    return true;
  }

  /** True when the lane is being drained here; it will be looked at again after that. */
  private isDraining(lane: string, priority: WakePriority): boolean {
    if (!this.draining.has(lane)) return false;
    this.wokenAgain.set(lane, Math.min(priority, this.wokenAgain.get(lane) ?? priority));
    return true;
  }

  /** Drains a lane in a slot that the caller took; gives the slot back. Never throws. */
  private drain(lane: string, priority: WakePriority): Promise<void> {
    clearTimeout(this.alarms.get(lane));
    this.alarms.delete(lane);
    const drained = this.drainOnce(lane, isExpress(priority)).then((end) => {
      this.draining.delete(lane);
      this.slots.give();
      this.sweepOn();
      // The news may have come after the drain's last look, which nobody else would notice.
      const again = this.wokenAgain.get(lane);
      this.wokenAgain.delete(lane);
      if (again !== undefined) void this.begin(lane, again);
      else if (end !== null) this.comeBack(lane, end, priority);
    });
    this.draining.set(lane, drained);
    return drained;
  }

  /** Null when there was nothing to drain, or the lane is no longer held. */
  private async drainOnce(lane: string, express: boolean): Promise<HandedBack | null> {
    const { keeper, queue, log } = this.options;
    let held: HeldLane | null = null;
    try {
      const claimLimit = this.transactional === null ? 0 : CLAIM_LIMIT;
      held = await keeper.take(queue, lane, { express, claimLimit });
      if (held === null) return null;
      this.options.pauses.sawRunning(queue);
      const end = await this.drainHeld(held);
      return end.handedBack ? { ...end, lease: held.lease } : null;
    } catch (error) {
      // The lease runs out by itself, and the sweep finds the lane: nothing to undo here.
      if (!(error instanceof LeaseLost)) {
        const message = isUnavailable(error) ? "drain cut off from the database" : "drain failed";
        log.warn({ err: error, queue, lane }, message);
      }
      return null;
    } finally {
      if (held !== null) keeper.forget(held);
    }
  }

  private drainHeld(held: HeldLane): Promise<DrainEnd> {
    const { queue, laneConcurrency } = this.options;
    const { order } = QUEUE_POLICIES[queue];
    const turn = this.newTurn();
    if (this.transactional !== null) return this.transactional.drain(held, turn);
    if (this.external === null) throw new Error(`queue ${queue} has no handler`);
    const concurrency = order === "strict" ? 1 : laneConcurrency;
    const options = { ...this.options, ...this.external, order, concurrency };
    return new ExternalDrain(options, held, turn).run();
  }

  private newTurn(): TurnControl {
    const endsAtMs = performance.now() + this.options.turnMs;
    let ended = false;
    const othersWait = () => this.slots.waiting > 0 || this.lanesWait;
    return {
      isOver: () =>
        ended ||
        this.stopping ||
        this.options.pauses.isPaused(this.options.queue) ||
        (othersWait() && performance.now() >= endsAtMs),
      isWanted: () => othersWait() || this.moreIsDue,
      end: () => {
        ended = true;
      },
      stopNow: this.stopNow.signal,
    };
  }

  /** A lane that was handed back with something to do: to the end of the queue, or at its time. */
  private comeBack(
    lane: string,
    { dueInMs, lease: { workspaceId, urgent } }: HandedBack,
    priority: WakePriority,
  ): void {
    const { wake, queue } = this.options;
    if (dueInMs === null) return;
    if (this.stopping || dueInMs <= 0) {
      wake(queue, [{ lane, workspaceId, urgent }]);
      return;
    }
    if (dueInMs > ALARM_WITHIN_MS || this.alarms.size >= MAX_ALARMS) return;
    clearTimeout(this.alarms.get(lane));
    const alarm = setTimeout(() => {
      this.alarms.delete(lane);
      void this.begin(lane, priority);
    }, Math.ceil(dueInMs));
    this.alarms.set(lane, alarm);
  }

  private startSweep(): void {
    this.sweeping ??= this.sweep().finally(() => {
      this.sweeping = undefined;
    });
  }

  /**
   * Goes on sweeping while it finds more than it can take and no wakes come: after an outage of the
   * transport thousands of lanes are due, and nobody will be told of them.
   */
  private sweepOn(): void {
    if (!this.moreIsDue || performance.now() - this.lastWakeMs < NO_WAKES_MS) return;
    const mayTake = this.slots.waiting === 0 && this.slots.available >= this.options.slots / 2;
    if (mayTake) this.startSweep();
  }

  private async lookAtClock(): Promise<void> {
    const { db, queue, sweepMs } = this.options;
    if (performance.now() - this.clockSeenMs < sweepMs / 2) return;
    this.latestClock = await followClock(db, queue, this.latestClock);
    this.clockSeenMs = performance.now();
  }

  private async sweep(): Promise<void> {
    const { db, keeper, queue, log } = this.options;
    if (this.stopping) return;
    try {
      await this.lookAtClock();
      const free = this.slots.available;
      const limit = Math.max(MIN_SWEPT, free * SWEPT_A_SLOT);
      const lanes = await dueLanes(db, queue, limit, keeper.leaseMs);
      this.lanesWait = free === 0 && lanes.length > 0;
      this.moreIsDue = free > 0 && lanes.length > free;
      // Other processes see the same lanes: whoever begins at the same one only finds it taken.
      if (this.moreIsDue) lanes.push(...lanes.splice(0, Math.floor(Math.random() * lanes.length)));
      for (const [n, lane] of lanes.entries()) {
        if (this.draining.has(lane)) continue;
        if (this.slots.tryTake()) void this.drain(lane, LAST_PRIORITY);
        else if (n < MIN_SWEPT && this.slots.waiting < MIN_SWEPT) void this.begin(lane, 0);
        else break;
      }
    } catch (error) {
      log.warn({ err: error, queue }, "sweep failed");
    }
  }
}
