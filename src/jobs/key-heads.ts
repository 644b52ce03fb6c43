import type { Candidate, Passed, Stream, Walked } from "./key-claim.ts";
import type { JobId } from "./types.ts";

/** Jobs have priorities from 0 to 9. */
const PRIORITIES = 10;
/** So many keys of a class that might start something are enough to choose from. */
const ENOUGH_KEYS = 64;
/** Of each less urgent class so many are looked at beside the best: its turn may come. */
const FEW_KEYS = 4;
/**
 * A key of which so many candidates of its class came is passed from then on, one that may not start
 * anything sooner: the rest would fill the pages and tell nothing.
 */
const HEAVY_CANDIDATES = 8;
const HEAVY_CANDIDATES_OF_BLOCKED = 2;
const MAX_PASSED = 1_000;
/** Keys whose head waits are looked at again this often, so many at a time: its time is Postgres's. */
const LOOK_AGAIN_MS = 1_000;
const MAX_LOOK_AGAIN = 16;
/** What was committed after its own time is found within this. */
const TIMED_AGAIN_MS = 1_000;
/** And whatever came back under an old id by a way that nobody thought of, within this. */
const ALL_AGAIN_MS = 60_000;
/** Changes by hand, each of which has everything read again, count as one within this time. */
const CHANGED_AGAIN_MS = 250;
/** More are forgotten, but for those that may start something, and read again soon after. */
const MAX_KEYS = 10_000;
const FORGOTTEN_AGAIN_MS = 1_000;

/** True of a key that may not start anything now: held, or in flight. */
export type IsBlocked = (key: string) => boolean;

/** What is remembered of a key with something to run. */
interface Known {
  /** The most urgent of it, and the oldest of those, as far as it is known. */
  priority: number;
  id: bigint;
  /** Candidates of it that were read, by their priority. */
  candidates: Map<number, number>;
  /** Its head waits until then (ms of the drain's clock); 0: it may be due. */
  waitsUntilMs: number;
  lookedMs: number;
}

/** The head of a key, as it was read. */
export interface Head {
  key: string;
  id: JobId;
  priority: number;
  /** 0 or less when it may run. */
  dueInMs: number;
}

/** What was read of some streams. */
export interface Reading {
  streams: readonly Stream[];
  candidates: readonly Candidate[];
  /** As in `Look`. */
  walked: readonly Walked[];
  limit: number;
}

/**
 * What one drain remembers of a lane that is ordered per key: how far it has read, and which keys
 * have something to run. Pure: times are passed in.
 *
 * Ids inside a lane follow the order of commits, so nothing that is new stands before what has been
 * read. What has been read is remembered by its key alone, however many jobs the key has; its head
 * is read from Postgres each time it may be the next. So the rule is
 *
 *   every due job that was read past has its key in memory,
 *
 * and what would break it (a job that comes back under its old id) is read again: what waited for a
 * time, each second; everything, when jobs were changed by hand or two keys became one, before the lane is
 * handed back with news (keyed-lane.ts), and each minute. A memory that is lost costs reading, and nothing else.
 */
export class KeyHeads {
  private streams: { stream: Stream; isRead: boolean }[] = [];
  private readonly keys = new Map<string, Known>();
  private timedAgainMs = 0;
  private allAgainMs = 0;
  private restartedMs = Number.NEGATIVE_INFINITY;
  private hasForgotten = false;
  private readonly enough: number;

  /** `enough`: keys of a class that might start something, at which no more are read. */
  constructor(nowMs: number, { enough = ENOUGH_KEYS }: { enough?: number } = {}) {
    this.enough = enough;
    this.restart(nowMs);
  }

  /** Keys in memory. */
  get size(): number {
    return this.keys.size;
  }

  /** Forgets everything: reads from the front. */
  restart(nowMs: number): void {
    this.keys.clear();
    this.streams = [false, true].flatMap((isTimed) => newStreams(isTimed));
    this.restartedMs = nowMs;
    this.allAgainMs = nowMs + ALL_AGAIN_MS;
    this.timedAgainMs = nowMs + TIMED_AGAIN_MS;
    this.hasForgotten = false;
  }

  /** Another drain goes on: what waits for a time is read again, since other holders give jobs one. */
  resume(nowMs: number): void {
    this.timedAgainMs = nowMs;
  }

  /** Jobs that were read already were changed by hand: everything is read again, at once or soon. */
  changed(nowMs: number): void {
    const soonestMs = Math.max(nowMs, this.restartedMs + CHANGED_AGAIN_MS);
    this.allAgainMs = Math.min(this.allAgainMs, soonestMs);
  }

  /** A claim begins: whatever was read to its end may have gone on. */
  begin(nowMs: number): void {
    for (const one of this.streams) one.isRead = false;
    if (nowMs >= this.allAgainMs) this.restart(nowMs);
    if (nowMs < this.timedAgainMs) return;
    this.streams = [...this.streams.filter(({ stream }) => !stream.isTimed), ...newStreams(true)];
    this.timedAgainMs = nowMs + TIMED_AGAIN_MS;
  }

  /** Streams to be read on in: those of classes of which too few keys may start something. */
  toRead(isBlocked: IsBlocked, nowMs: number): Stream[] {
    const classes = this.startable(isBlocked, nowMs);
    return this.streams
      .filter(({ stream, isRead }) => {
        const keys = classes.get(stream.priority)?.length ?? 0;
        return !isRead && keys < this.enough;
      })
      .map(({ stream }) => stream);
  }

  /** Everything was read to its end by this claim. */
  get isAllRead(): boolean {
    return this.streams.every(({ isRead }) => isRead);
  }

  /**
   * Keys whose further candidates of a priority would tell nothing: of their class, or a less urgent
   * one. What is more urgent than all that is known of a key is never passed.
   */
  passed(isBlocked: IsBlocked): Passed[] {
    const passed: Passed[] = [];
    for (const [key, known] of this.keys) {
      const heavy = isBlocked(key) ? HEAVY_CANDIDATES_OF_BLOCKED : HEAVY_CANDIDATES;
      for (const [priority, count] of known.candidates) {
        if (count < heavy || priority < known.priority) continue;
        if (passed.push({ key, priority }) >= MAX_PASSED) return passed;
      }
    }
    return passed;
  }

  /** Notes what was read of some streams, at most `limit` candidates of each, in their order. */
  read({ streams, candidates, walked, limit }: Reading, isBlocked: IsBlocked, nowMs: number): void {
    for (const one of this.streams) {
      if (!streams.includes(one.stream)) continue;
      const { isTimed, priority } = one.stream;
      const isOwn = (row: Candidate | Stream) =>
        row.isTimed === isTimed && row.priority === priority;
      const own = candidates.filter(isOwn);
      for (const candidate of own) this.note(candidate);
      const last = own.at(-1);
      const to = walked.find(isOwn);
      // What was passed on the way is in memory by its key.
      if (to !== undefined) one.stream = to;
      else if (last !== undefined) {
        one.stream = { isTimed, priority, afterAt: last.at, afterId: last.id };
      }
      one.isRead = to === undefined ? own.length < limit : !to.hasMore;
    }
    if (this.keys.size > MAX_KEYS) this.forget(isBlocked, nowMs);
  }

  /** Something of this key has ended, or may have changed: its head is read again. */
  touch({ key, id, priority }: Pick<Head, "key" | "id" | "priority">): void {
    const known = this.keys.get(key);
    if (known === undefined) this.keys.set(key, newKnown(priority, BigInt(id)));
    else known.waitsUntilMs = 0;
  }

  /**
   * Keys whose heads are to be read: those that may be the next, the best classes first.
   */
  toLookUp(isBlocked: IsBlocked, nowMs: number, limit: number): string[] {
    const classes = [...this.startable(isBlocked, nowMs)].sort(([a], [b]) => a - b);
    const keys: string[] = [];
    for (const [n, [, ofClass]] of classes.entries()) {
      const forOthers = (classes.length - 1 - n) * FEW_KEYS;
      const share = Math.max(FEW_KEYS, limit - keys.length - forOthers);
      ofClass.sort((a, b) => (a.id < b.id ? -1 : 1));
      keys.push(...ofClass.slice(0, share).map(({ key }) => key));
    }
    return keys;
  }

  /**
   * A few of the keys that wait, whose heads are to be read again: once a claim. Were they looked for
   * until there are none, the first of many would be old again before the last was read, and a claim
   * without an end.
   */
  toLookAgain(isBlocked: IsBlocked, nowMs: number): string[] {
    const keys: string[] = [];
    for (const [key, known] of this.keys) {
      if (keys.length === MAX_LOOK_AGAIN) break;
      if (known.waitsUntilMs <= nowMs || known.lookedMs > nowMs - LOOK_AGAIN_MS) continue;
      if (!isBlocked(key)) keys.push(key);
    }
    return keys;
  }

  /** Notes the heads of the keys that were looked up; a key without one has nothing to run. */
  found(keys: readonly string[], heads: readonly Head[], nowMs: number): void {
    const byKey = new Map(heads.map((head) => [head.key, head]));
    for (const key of keys) {
      const known = this.keys.get(key);
      const head = byKey.get(key);
      this.keys.delete(key);
      if (head === undefined || known === undefined) continue;
      known.priority = head.priority;
      known.id = BigInt(head.id);
      known.waitsUntilMs = head.dueInMs <= 0 ? 0 : nowMs + head.dueInMs;
      known.lookedMs = nowMs;
      // Behind the others: those that wait take turns in being looked at again.
      this.keys.set(key, known);
    }
  }

  /**
   * When the first of the heads that wait may run, or what was forgotten is read again; null: never.
   * Keys that may not start anything have times that their holder knows.
   */
  nextMs(isBlocked: IsBlocked, nowMs: number): number | null {
    let nextMs = this.hasForgotten ? this.allAgainMs : null;
    for (const [key, { waitsUntilMs }] of this.keys) {
      if (waitsUntilMs <= nowMs || isBlocked(key)) continue;
      nextMs = nextMs === null ? waitsUntilMs : Math.min(nextMs, waitsUntilMs);
    }
    return nextMs;
  }

  private note({ key, priority, id, isTimed }: Candidate): void {
    const known = this.keys.get(key) ?? newKnown(priority, BigInt(id));
    this.keys.set(key, known);
    known.candidates.set(priority, (known.candidates.get(priority) ?? 0) + 1);
    // Its time has come, or it may pass a head that waits.
    if (isTimed || priority === 0) known.waitsUntilMs = 0;
    if (priority >= known.priority) return;
    known.priority = priority;
    known.id = BigInt(id);
  }

  /** Keys that may start something, by class. */
  private startable(isBlocked: IsBlocked, nowMs: number): Map<number, Startable[]> {
    const classes = new Map<number, Startable[]>();
    for (const [key, { priority, id, waitsUntilMs }] of this.keys) {
      if (waitsUntilMs > nowMs || isBlocked(key)) continue;
      const ofClass = classes.get(priority);
      if (ofClass === undefined) classes.set(priority, [{ key, id }]);
      else ofClass.push({ key, id });
    }
    return classes;
  }

  private forget(isBlocked: IsBlocked, nowMs: number): void {
    for (const [key, { waitsUntilMs }] of this.keys) {
      if (waitsUntilMs > nowMs || isBlocked(key)) this.keys.delete(key);
    }
    this.allAgainMs = Math.min(this.allAgainMs, nowMs + FORGOTTEN_AGAIN_MS);
    this.hasForgotten = true;
  }
}

interface Startable {
  key: string;
  id: bigint;
}

const newKnown = (priority: number, id: bigint): Known => ({
  priority,
  id,
  candidates: new Map(),
  waitsUntilMs: 0,
  lookedMs: 0,
});

const newStreams = (isTimed: boolean): { stream: Stream; isRead: boolean }[] =>
  Array.from({ length: PRIORITIES }, (_, priority) => ({
    stream: { isTimed, priority, afterAt: "-infinity", afterId: "0" },
    isRead: false,
  }));
