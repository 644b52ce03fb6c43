import type { Job } from "../jobs/index.ts";

/** Something more urgent, or smaller, may have come in front: it is looked for again after so long. */
const LOOK_AGAIN_MS = 500;

/**
 * Chats whose next message is an album that does not find room in them yet, though a message would: they
 * are passed for a while. Of what is ready a drain sees the first few only, which might all be such
 * albums, and hide what could be sent. Times are ms since the epoch.
 */
export class PassedChats {
  private readonly untilMs = new Map<string, number>();

  /** It has room at `nextMs` at the earliest. Answers when it is looked at again. */
  pass({ orderingKey }: Job, nextMs: number, nowMs: number): number {
    const untilMs = Math.min(nextMs, nowMs + LOOK_AGAIN_MS);
    if (orderingKey !== null) this.untilMs.set(orderingKey, untilMs);
    return untilMs;
  }

  /** Keys to be passed now, and when the first of them is looked at again. */
  passedKeys(nowMs: number): { keys: string[]; untilMs: number | null } {
    let untilMs: number | null = null;
    for (const [key, until] of this.untilMs) {
      if (until <= nowMs) this.untilMs.delete(key);
      else untilMs = Math.min(untilMs ?? until, until);
    }
    return { keys: [...this.untilMs.keys()], untilMs };
  }
}
