import type { Queryable } from "../platform/index.ts";
import { createLaneReader } from "./key-claim.ts";
import { KeyedLane } from "./keyed-lane.ts";
import type { Lease } from "./lease.ts";

const MAX_LANES = 100;
/** A memory of more keys is not kept: it is read again. */
const MAX_KEYS_KEPT = 2_000;

/**
 * What a process remembers of lanes that it handed back a moment ago. A bot with much to send is handed
 * back whenever its pace makes it wait, every second or so, and its next drain would pass what is
 * held in front once more. Nothing here has to be true: see `KeyHeads`, and whoever held the lane
 * meanwhile only took away from it, or gave a job a later time.
 */
export class LaneMemories {
  private readonly kept = new Map<string, KeyedLane>();

  /** The lane as it was left, or as one that nobody knows. It is the caller's until it is given back. */
  take(on: Queryable, lease: Lease): KeyedLane {
    const known = this.kept.get(lease.lane);
    this.kept.delete(lease.lane);
    if (known === undefined || known.clock.hasJumped()) {
      return new KeyedLane(createLaneReader(on, lease));
    }
    known.resume();
    return known;
  }

  give(lane: string, keyed: KeyedLane): void {
    if (keyed.size === 0 || keyed.size > MAX_KEYS_KEPT) return;
    this.kept.set(lane, keyed);
    const [oldest] = this.kept.keys();
    if (this.kept.size > MAX_LANES && oldest !== undefined) this.kept.delete(oldest);
  }
}
