import type { Job } from "./types.ts";

/** One choice in so many goes to what is less urgent than the best that is ready. */
export const SHARE_OF_OTHERS = 8;

/** Where a choice begins that nothing was chosen before: 0 up to, not including, 1. */
export type Random = () => number;

/**
 * The order in which a drain tries what is ready: by urgency, then by age; but one choice in eight
 * begins with what is less urgent, the classes below the best taking turns, each with its oldest.
 *
 * So a flood of replies leaves every other class a share, whatever waits in the others: a low message
 * behind 100,000 of a broadcast waits for its place among the low ones, not for the broadcast to end.
 * And what has aged takes an eighth, not the lane: an hour's old bulk does not stand before replies.
 * A critical alert waits for one choice at most.
 *
 * A drain may end after one choice and knows nothing of the one before it: where it begins is drawn
 * at random, so that the share holds over many short drains, too.
 */
export class ClassShare {
  /** Choices since one of a class below the best. */
  private sinceOthers: number;
  /** When each class below the best was last served: the class that waited longest goes first. */
  private readonly servedAt = new Map<number, number>();
  private readonly random: Random;
  private choices = 0;

  constructor(random: Random = Math.random) {
    this.random = random;
    this.sinceOthers = Math.floor(random() * SHARE_OF_OTHERS);
  }

  /** What is ready, in the order in which it is to be tried. */
  inOrder<Ready extends Pick<Job, "id" | "priority">>(ready: readonly Ready[]): Ready[] {
    const sorted = [...ready].sort(byUrgency);
    if (this.sinceOthers < SHARE_OF_OTHERS - 1) return sorted;
    const best = sorted[0]?.priority ?? 0;
    const others = new Set(sorted.map(({ priority }) => priority).filter((one) => one > best));
    const [turn] = [...others].sort((a, b) => this.servedAtOf(a) - this.servedAtOf(b));
    const first = sorted.findIndex(({ priority }) => priority === turn);
    if (first > 0) sorted.unshift(...sorted.splice(first, 1));
    return sorted;
  }

  /** `job` was chosen from what was ready. */
  chose(job: Pick<Job, "priority">, ready: readonly Pick<Job, "priority">[]): void {
    this.choices++;
    const best = Math.min(...ready.map(({ priority }) => priority));
    // While there is nothing but the best, a share that was not taken stands, and does not grow.
    this.sinceOthers = Math.min(this.sinceOthers + 1, SHARE_OF_OTHERS - 1);
    if (job.priority <= best) return;
    this.sinceOthers = 0;
    this.servedAt.set(job.priority, this.choices);
  }

  private servedAtOf(priority: number): number {
    const known = this.servedAt.get(priority);
    if (known !== undefined) return known;
    // Below every count: those that were not served yet go first, in an order of chance.
    const drawn = this.random() - 1;
    this.servedAt.set(priority, drawn);
    return drawn;
  }
}

function byUrgency(a: Pick<Job, "id" | "priority">, b: Pick<Job, "id" | "priority">): number {
  return a.priority - b.priority || (BigInt(a.id) < BigInt(b.id) ? -1 : 1);
}
