import { Attempts } from "../../src/jobs/attempts.ts";
import { ExternalDrain } from "../../src/jobs/external-drain.ts";
import { InHand } from "../../src/jobs/in-hand.ts";
import { LaneMemories } from "../../src/jobs/lane-memories.ts";
import { LaneReaders } from "../../src/jobs/lane-reader.ts";
import { LeaseKeeper } from "../../src/jobs/lease-keeper.ts";
import { QUEUE_POLICIES } from "../../src/jobs/policies.ts";
import type { DrainEnd, TurnControl } from "../../src/jobs/pool.ts";
import { dueLanes } from "../../src/jobs/sweep.ts";
import { CLAIM_LIMIT, TransactionalDrains } from "../../src/jobs/transactional-drain.ts";
import type { ExternalHandler, Handler, QueueName } from "../../src/jobs/types.ts";
import { type Database, silentLogger } from "../../src/platform/index.ts";
import type { Life } from "./traffic.ts";

export const LEASE_MS = 5_000;
/** Jobs of one lane in flight at once, where order allows it. */
const CONCURRENCY = 3;
const SWEEP_LIMIT = 10;
const inHand = new InHand();

interface External {
  handler: ExternalHandler;
  attempts: Attempts;
  memories: LaneMemories;
}

/**
 * A worker process: the engine's own keeper and drains, without a pool's slots and alarms. When a
 * lane is looked at is the schedule's business; what happens then is the engine's.
 */
export class ModelWorker {
  readonly life: Life;
  readonly keeper: LeaseKeeper;
  private readonly db: Database;
  private readonly queue: QueueName;
  private readonly drains: TransactionalDrains | External;
  private readonly draining = new Map<string, { turnIsOver: boolean }>();
  private readonly stopNow = new AbortController();

  constructor(life: Life, db: Database, queue: QueueName, handlerFor: (worker: string) => Handler) {
    this.life = life;
    this.db = db;
    this.queue = queue;
    this.keeper = new LeaseKeeper(db, LEASE_MS, silentLogger);
    const { keeper } = this;
    const worker = keeper.owner;
    const handler = handlerFor(worker);
    this.drains =
      handler.mode === "transactional"
        ? new TransactionalDrains({ db, keeper, queue, handler, worker, inHand })
        : {
            handler,
            attempts: new Attempts({ db, handler, worker }),
            memories: new LaneMemories(new LaneReaders(db, queue)),
          };
  }

  get isIdle(): boolean {
    return this.draining.size === 0;
  }

  /** As a wake does: a lane in hand is looked at again, any other is drained if it is due and free. */
  wake(lane: string): void {
    this.keeper.find(this.queue, lane)?.nudge();
    if (this.draining.has(lane)) return;
    const turn = { turnIsOver: false };
    this.draining.set(lane, turn);
    const end = () => this.draining.delete(lane);
    // A drain that is cut off throws: its lease runs out, and a sweep finds the lane.
    this.drain(lane, turn).then(end, end);
  }

  /** Asks for due lanes and drains them. */
  sweep(): void {
    dueLanes(this.db, this.queue, SWEEP_LIMIT, LEASE_MS).then(
      (lanes) => {
        for (const lane of lanes) this.wake(lane);
      },
      () => {},
    );
  }

  endTurn(): void {
    for (const turn of this.draining.values()) turn.turnIsOver = true;
  }

  private async drain(lane: string, flag: { turnIsOver: boolean }): Promise<DrainEnd | null> {
    const { db, keeper, queue, drains } = this;
    // Both ways through the batchers, side by side.
    const express = lane.charCodeAt(lane.length - 1) % 2 === 0;
    const isTransactional = drains instanceof TransactionalDrains;
    const claimLimit = isTransactional ? CLAIM_LIMIT : 0;
    const held = await keeper.take(queue, lane, { express, claimLimit });
    if (held === null) return null;
    const turn: TurnControl = {
      isOver: () => flag.turnIsOver,
      isWanted: () => true,
      end: () => {
        flag.turnIsOver = true;
      },
      stopNow: this.stopNow.signal,
    };
    try {
      if (isTransactional) return await drains.drain(held, turn);
      const { order } = QUEUE_POLICIES[queue];
      const concurrency = order === "strict" ? 1 : CONCURRENCY;
      const options = { db, keeper, ...drains, order, concurrency, inHand, log: silentLogger };
      return await new ExternalDrain(options, held, turn).run();
    } finally {
      keeper.forget(held);
    }
  }
}
