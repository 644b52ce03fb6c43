import { randomUUID } from "node:crypto";
import { Batcher, type Database, isUnavailable, type Logger } from "../platform/index.ts";
import type { Claim } from "./claim.ts";
import { type Lease, type Release, releaseLeases, renewLeases } from "./lease.ts";
import { type TakenLane, takeLeases } from "./take-leases.ts";
import type { QueueName } from "./types.ts";

/** A lane in this process's hands. */
export interface HeldLane {
  readonly lease: Lease;
  /** Its statements travel with those of other lanes that asked for little: see wake-priority.ts. */
  readonly express: boolean;
  /** What came with the lease, if anything could be believed: for the drain to take away and use first. */
  firstClaim: Claim | null;
  /** True once a heartbeat found the lease gone, or could not renew it in time. */
  lost: boolean;
  /** Something may be new in this lane: a drain that waits looks again. */
  nudge: () => void;
  /** When the lease was last known to be good, by this process's monotonic clock, in ms. */
  renewedAtMs: number;
}

export interface TakeWish {
  express: boolean;
  /** Most jobs of a first claim; 0: the lease only. */
  claimLimit: number;
}

const monotonicMs = () => performance.now();

/**
 * The leases of one process: takes them (lanes that ask in the same moment share a statement),
 * renews all of them in one statement a heartbeat, releases them. Its owner id is new in every
 * process, so nothing of a former life is ever believed.
 */
export class LeaseKeeper {
  readonly owner = randomUUID();
  private readonly db: Database;
  readonly leaseMs: number;
  private readonly log: Logger;
  private readonly held = new Map<string, HeldLane>();
  private readonly takers = new Map<string, Batcher<string, TakenLane | null>>();
  private readonly releasers = new Map<string, Batcher<Release, boolean>>();
  private heartbeat: NodeJS.Timeout | undefined;
  private beating: Promise<void> | undefined;

  constructor(db: Database, leaseMs: number, log: Logger) {
    this.db = db;
    this.leaseMs = leaseMs;
    this.log = log;
  }

  /** Null when the lane is not due, or somebody holds it. */
  async take(queue: QueueName, lane: string, wish: TakeWish): Promise<HeldLane | null> {
    const taken = await this.taker(queue, wish).add(lane);
    if (taken === null) return null;
    const { express } = wish;
    const renewedAtMs = monotonicMs();
    const held: HeldLane = { ...taken, express, lost: false, nudge: () => {}, renewedAtMs };
    this.held.set(`${queue} ${lane}`, held);
    this.startHeartbeat();
    return held;
  }

  find(queue: QueueName, lane: string): HeldLane | undefined {
    return this.held.get(`${queue} ${lane}`);
  }

  get count(): number {
    return this.held.size;
  }

  /** Some of the lanes held, those held longest first. */
  sample(limit: number): { queue: QueueName; lane: string }[] {
    return [...this.held.values()]
      .slice(0, limit)
      .map(({ lease }) => ({ queue: lease.queue, lane: lease.lane }));
  }

  /** True when released; false when the lane has news (claim again) or was lost. */
  async release(held: HeldLane, seq: string, dueInMs: Release["dueInMs"]): Promise<boolean> {
    const { lease } = held;
    const releaser = this.releaser(lease.queue, held.express);
    const released = await releaser.add({ lease, seq, dueInMs });
    if (released) this.forget(held);
    return released;
  }

  /** Ends this process's interest in a lane; the row is left as it is. */
  forget(held: HeldLane): void {
    const key = `${held.lease.queue} ${held.lease.lane}`;
    if (this.held.get(key) === held) this.held.delete(key);
  }

  /** Stops the heartbeat. Leases still held run out by themselves. */
  async close(): Promise<void> {
    clearInterval(this.heartbeat);
    this.heartbeat = undefined;
    await this.beating;
  }

  private taker(
    queue: QueueName,
    { express, claimLimit }: TakeWish,
  ): Batcher<string, TakenLane | null> {
    const key = `${queue} ${express} ${claimLimit}`;
    let taker = this.takers.get(key);
    if (taker === undefined) {
      const options = { owner: this.owner, leaseMs: this.leaseMs, claimLimit };
      taker = new Batcher({
        maxItems: 300,
        isShared: isUnavailable,
        run: async (lanes) => {
          const taken = await takeLeases(this.db, queue, [...new Set(lanes)].sort(), options);
          // Two drains may ask for one lane at once: the first gets it.
          return lanes.map((lane) => {
            const first = taken.get(lane) ?? null;
            taken.delete(lane);
            return first;
          });
        },
      });
      this.takers.set(key, taker);
    }
    return taker;
  }

  private releaser(queue: QueueName, express: boolean): Batcher<Release, boolean> {
    const key = `${queue} ${express}`;
    let releaser = this.releasers.get(key);
    if (releaser === undefined) {
      releaser = new Batcher({
        maxItems: 300,
        isShared: isUnavailable,
        run: async (releases) => {
          const released = await releaseLeases(this.db, releases);
          return releases.map((release) => released.has(release.lease.lane));
        },
      });
      this.releasers.set(key, releaser);
    }
    return releaser;
  }

  private startHeartbeat(): void {
    this.heartbeat ??= setInterval(() => {
      this.beating ??= this.beat().finally(() => {
        this.beating = undefined;
      });
    }, this.leaseMs / 3);
  }

  private async beat(): Promise<void> {
    const now = monotonicMs();
    // Most drains end before their first heartbeat: only what has been held for a while is renewed.
    const old = [...this.held.values()].filter((held) => now - held.renewedAtMs > this.leaseMs / 4);
    if (old.length === 0) return;
    const sentAtMs = monotonicMs();
    try {
      const leases = old.map((held) => held.lease);
      const { renewed, busy } = await renewLeases(this.db, leases, {
        owner: this.owner,
        leaseMs: this.leaseMs,
      });
      for (const held of old) {
        if (renewed.has(held.lease)) held.renewedAtMs = sentAtMs;
        else if (busy.has(held.lease)) this.loseIfOld(held);
        else this.lose(held, "its row has another holder");
      }
    } catch (error) {
      this.log.warn({ err: error, lanes: old.length }, "leases could not be renewed");
      for (const held of old) this.loseIfOld(held);
    }
  }

  private loseIfOld(held: HeldLane): void {
    if (monotonicMs() - held.renewedAtMs > this.leaseMs) this.lose(held, "not renewed in time");
  }

  private lose(held: HeldLane, reason: string): void {
    // A drain that ended meanwhile released its lane: that is no loss.
    if (this.find(held.lease.queue, held.lease.lane) !== held) return;
    held.lost = true;
    this.forget(held);
    held.nudge();
    this.log.warn({ queue: held.lease.queue, lane: held.lease.lane, reason }, "lease lost");
  }
}
