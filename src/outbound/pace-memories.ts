import { type ClockWatch, systemClock } from "../platform/index.ts";
import type { Pace } from "./pace.ts";
import type { PaceKeeper } from "./pace-store.ts";

const MAX_BOTS = 1_000;
/** Of all bots together; a private chat is remembered for half a minute, a group for a minute. */
const MAX_CHATS = 50_000;
/** After a minute nothing of it matters that is not on record in a few rows. */
const KEPT_MS = 60_000;

/** A pace, and who learns for it. */
export interface RememberedPace {
  pace: Pace;
  keeper: PaceKeeper;
  /** As old as the pace: by the times in it a clock that was set since would have the bot wait for hours. */
  clock: ClockWatch;
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
    RememberedPace & { epoch: string; leftMs: number; chats: number }
  >();
  private chats = 0;

  /** Bots of which a pace is kept. */
  get size(): number {
    return this.kept.size;
  }

  /**
   * A drain under the lease `epoch` is over. A bot that is held is read again: the hold may be this process's own
   * word about a token, which somebody replaces.
   */
  keep(connectorId: string, epoch: string, paced: RememberedPace): void {
    const { pace, clock } = paced;
    this.forget(connectorId);
    const nowMs = systemClock();
    if (pace.heldUntilMs(null) > nowMs || clock.hasJumped()) return;
    pace.forgetIdle(nowMs);
    const chats = pace.size;
    this.kept.set(connectorId, { ...paced, epoch, leftMs: nowMs, chats });
    this.chats += chats;
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= MAX_BOTS && this.chats <= MAX_CHATS) break;
      this.forget(oldest);
    }
  }

  /**
   * The pace as it was left, if the lease before the caller's was the one it was left under. It is the
   * caller's from then on.
   */
  take(connectorId: string, previousEpoch: string | undefined): RememberedPace | null {
    const known = this.kept.get(connectorId);
    this.forget(connectorId);
    if (known === undefined || known.epoch !== previousEpoch || known.clock.hasJumped())
      return null;
    if (systemClock() - known.leftMs > KEPT_MS) return null;
    const { pace, keeper, clock } = known;
    return { pace, keeper, clock };
  }

  private forget(connectorId: string): void {
    this.chats -= this.kept.get(connectorId)?.chats ?? 0;
    this.kept.delete(connectorId);
  }
}
