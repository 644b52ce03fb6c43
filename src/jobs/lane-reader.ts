import { Batcher, isUnavailable, type Queryable } from "../platform/index.ts";
import type { ClaimedJob } from "./claim.ts";
import {
  type HeadsWish,
  headsOfLanes,
  type Look,
  type LookWish,
  lookAtLanes,
  runningOfLane,
  type Stream,
} from "./key-claim.ts";
import type { JobId, QueueName } from "./types.ts";

/** How a drain reads a lane that is ordered per key. */
export interface LaneReader {
  /** Most candidates of a stream that a look answers. */
  readonly page: number;
  /** Reads on in some streams, from one snapshot. Null: there is no such lane. */
  look(streams: readonly Stream[], wish: Omit<LookWish, "lane" | "streams">): Promise<Look | null>;
  /** The heads of some keys, due or not; none of a key that has nothing to run. */
  readHeads(keys: readonly string[]): Promise<ClaimedJob[]>;
  /** Those of some jobs that are still marked running. */
  readRunning(ids: readonly JobId[]): Promise<ClaimedJob[]>;
}

/** Candidates of a stream that are read at a time. */
const PAGE = 200;
/** Lanes of one statement. */
const MAX_LANES = 32;
/** Streams, and keys, of one statement: what it reads is bounded by them. */
const MAX_STREAMS = 64;
const MAX_KEYS = 500;
/** Statements of a kind under way. A lane by itself waits for none of them. */
const UNDER_WAY = 2;
/** A lane that passes more keys looks by itself, as does one that walks on without a bound. */
const MANY_PASSED = 50;

/**
 * Reads lanes of a queue for the drains of a process. What several of them want in the same moment
 * travels in one statement: a thousand bots that send side by side would ask for theirs one by one,
 * which was more than a third of all that was asked of Postgres.
 */
export class LaneReaders {
  private readonly on: Queryable;
  private readonly queue: QueueName;
  private readonly page: number;
  private readonly looks: Batcher<LookWish, Look | null>;
  private readonly heads: Batcher<HeadsWish, ClaimedJob[]>;

  /** `page`: candidates of a stream that are read at a time. */
  constructor(on: Queryable, queue: QueueName, { page = PAGE }: { page?: number } = {}) {
    this.on = on;
    this.queue = queue;
    this.page = page;
    const shared = { maxItems: MAX_LANES, maxUnderWay: UNDER_WAY, isShared: isUnavailable };
    this.looks = new Batcher({
      ...shared,
      maxWeight: MAX_STREAMS,
      weigh: ({ streams }) => streams.length,
      run: (wishes) => eachLaneOnce(wishes, (some) => this.look(some)),
    });
    this.heads = new Batcher({
      ...shared,
      maxWeight: MAX_KEYS,
      weigh: ({ keys }) => keys.length,
      run: (wishes) => eachLaneOnce(wishes, (some) => headsOfLanes(on, queue, some)),
    });
  }

  readerOf(lane: string): LaneReader {
    const { on, queue, page } = this;
    return {
      page,
      look: async (streams, { ownIds, passed, unbounded = false }) => {
        const wish = { lane, streams, ownIds, passed, unbounded };
        if (passed.length <= MANY_PASSED && !unbounded) return this.looks.add(wish);
        const [look = null] = await this.look([wish]);
        return look;
      },
      readHeads: async (keys) => (keys.length === 0 ? [] : this.heads.add({ lane, keys })),
      readRunning: (ids) => runningOfLane(on, { queue, lane }, ids),
    };
  }

  private look(wishes: LookWish[]): Promise<Array<Look | null>> {
    return lookAtLanes(this.on, this.queue, { wishes, limit: this.page });
  }
}

/**
 * Runs wishes of lanes, each named once, together. A lane that is named again, by a drain that has
 * lost it and does not know it yet, is read apart.
 */
async function eachLaneOnce<Wish extends { lane: string }, Result>(
  wishes: Wish[],
  run: (wishes: Wish[]) => Promise<Result[]>,
): Promise<Array<Result | Promise<Result>>> {
  const first = new Map<string, Wish>();
  for (const wish of wishes) if (!first.has(wish.lane)) first.set(wish.lane, wish);
  const answers = await run([...first.values()]);
  const answerOf = new Map([...first.values()].map((wish, n) => [wish, answers[n] as Result]));
  return wishes.map((wish) => {
    if (answerOf.has(wish)) return answerOf.get(wish) as Result;
    return run([wish]).then(([answer]) => answer as Result);
  });
}
