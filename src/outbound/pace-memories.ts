import { ClockWatch, systemClock } from "../platform/index.ts";
import type { Pace } from "./pace.ts";
import type { PaceKeeper } from "./pace-store.ts";

const MAX_BOTS = 1_000;
/** After a minute nothing of it matters that is not on record in a few rows. */
const KEPT_MS = 60_000;

/** A pace, and who learns for it. */
export interface RememberedPace {
  pace: Pace;
  keeper: PaceKeeper;
}

/**
 * The paces that drains of this process left a moment ago, with everything that their bots did until then. A bot
 * that sends now and then would read its last minute for each message.
 *
 * True only while nobody else has had the lane: the next lease says which epoch came before it.
 */
export class PaceMemories {
  private readonly kept = new Map<
    string,
    RememberedPace & { epoch: string; leftMs: number; clock: ClockWatch }
  >();

  /** Bots of which a pace is kept. */
  get size(): number {
    return this.kept.size;
  }

  /**
   * A drain under the lease `epoch` is over. A bot that is held is read again: the hold may be this process's own
   * word about a token, which somebody replaces.
   */
  keep(connectorId: string, epoch: string, { pace, keeper }: RememberedPace): void {
    this.kept.delete(connectorId);
    const nowMs = systemClock();
    if (pace.heldUntilMs(null) > nowMs) return;
    this.kept.set(connectorId, { pace, keeper, epoch, leftMs: nowMs, clock: new ClockWatch() });
    const [oldest] = this.kept.keys();
    if (this.kept.size > MAX_BOTS && oldest !== undefined) this.kept.delete(oldest);
  }

  /**
   * The pace as it was left, if the lease before the caller's was the one it was left under. It is the
   * caller's from then on.
   */
  take(connectorId: string, previousEpoch: string | undefined): RememberedPace | null {
    const known = this.kept.get(connectorId);
    this.kept.delete(connectorId);
    if (known === undefined || known.epoch !== previousEpoch || known.clock.hasJumped())
      return null;
    if (systemClock() - known.leftMs > KEPT_MS) return null;
    return { pace: known.pace, keeper: known.keeper };
  }
}
