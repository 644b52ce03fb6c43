import { KeyedLane } from "./keyed-lane.ts";
import type { LaneReaders } from "./lane-reader.ts";

const MAX_LANES = 100;
/** A memory of more keys is not kept: it is read again. */
const MAX_KEYS_KEPT = 2_000;

/**
 * What a process remembers of lanes that it handed back a moment ago. A bot with much to send is handed
 * back when a hold makes it wait, or others need its slot, and its next drain would pass what is
 * held in front once more. Nothing here has to be true: see `KeyHeads`, and whoever held the lane
 * meanwhile only took away from it, or gave a job a later time.
 */
export class LaneMemories {
  private readonly readers: LaneReaders;
  private readonly kept = new Map<string, KeyedLane>();

  constructor(readers: LaneReaders) {
    this.readers = readers;
  }

  /** The lane as it was left, or as one that nobody knows. It is the caller's until it is given back. */
  take(lane: string): KeyedLane {
    const known = this.kept.get(lane);
    this.kept.delete(lane);
    if (known === undefined || known.clock.hasJumped()) {
      return new KeyedLane(this.readers.readerOf(lane));
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
