import type { Job, JobId } from "../jobs/index.ts";

/** Of one bot, messages under way that bring files: they may take a minute, and must leave room. */
const MAX_BRINGING = 8;
/** A chat whose file has no place is looked at again after so long: something more urgent may have come. */
const PASSED_MS = 1_000;

/**
 * A bot's messages that bring files. When there are as many under way as may be, the chats in which
 * another is next are passed for a while: of what is ready a drain sees the first few only, which
 * would all be such messages, and hide those that could be sent.
 */
export class Bringing {
  /** From when they are chosen until they are over. */
  private readonly underWay = new Set<JobId>();
  /** Keys that are passed, in the order in which they came, and until when. */
  private readonly passed = new Map<string, number>();

  get size(): number {
    return this.underWay.size;
  }

  get isFull(): boolean {
    return this.underWay.size >= MAX_BRINGING;
  }

  begin({ id }: Job): void {
    this.underWay.add(id);
  }

  ended({ id }: Job): void {
    this.underWay.delete(id);
  }

  /** It has no place now. Answers when it is looked at again, in ms since the epoch. */
  pass({ orderingKey }: Job, nowMs: number): number {
    const untilMs = nowMs + PASSED_MS;
    if (orderingKey !== null) this.passed.set(orderingKey, untilMs);
    return untilMs;
  }

  /** Keys to be passed: of the first, as many are let go as there are places. */
  passedKeys(nowMs: number): { keys: string[]; untilMs: number | null } {
    if (this.underWay.size === 0) this.passed.clear();
    let places = MAX_BRINGING - this.underWay.size;
    let untilMs: number | null = null;
    for (const [key, until] of this.passed) {
      if (until <= nowMs || places-- > 0) this.passed.delete(key);
      else untilMs = Math.min(untilMs ?? until, until);
    }
    return { keys: [...this.passed.keys()], untilMs };
  }
}
