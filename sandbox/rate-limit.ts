/**
 * Sliding windows, exact: in no span of `windowMs` are more than `limit` accepted. What is refused
 * gets a hold with a deadline; calls made before it are violations, and each moves the deadline.
 */

export interface RateWindow {
  limit: number;
  windowMs: number;
}

export type RateDecision =
  | { allowed: true }
  | { allowed: false; retryAfterS: number; violation: boolean };

/** One metered thing: a bot, or a bot in a chat. */
export class RateMeter {
  #windows: readonly RateWindow[] = [];
  #penaltyMs = 0;
  #smallest = Number.POSITIVE_INFINITY;
  #keepMs = 0;
  /** Times of what was accepted, rising; those before `#head` are out of every window. */
  #accepted: number[] = [];
  #head = 0;
  #heldUntilMs = 0;
  /** How far the running hold may be pushed out: a minute, or twice what it began with. */
  #longestHoldMs = 60_000;

  constructor(windows: readonly RateWindow[], penaltyMs: number) {
    this.tune(windows, penaltyMs);
  }

  /** Follows these windows from now on; what was counted and held stays. */
  tune(windows: readonly RateWindow[], penaltyMs: number): void {
    this.#penaltyMs = penaltyMs;
    if (windows === this.#windows) return;
    this.#windows = windows;
    this.#smallest = Math.min(...windows.map((window) => window.limit));
    this.#keepMs = Math.max(0, ...windows.map((window) => window.windowMs));
  }

  /** Refuses everything until then, or longer where it did already. */
  hold(nowMs: number, untilMs: number): void {
    this.#heldUntilMs = Math.max(this.#heldUntilMs, untilMs);
    this.#longestHoldMs = Math.max(60_000, 2 * (this.#heldUntilMs - nowMs));
  }

  /** Whether nothing is held and nothing counted, so that the meter may be forgotten. */
  idle(nowMs: number): boolean {
    this.#forget(nowMs);
    return this.#heldUntilMs <= nowMs && this.#head === this.#accepted.length;
  }

  /** What a call with `cost` messages would get. Sets or prolongs the hold when it is refused. */
  check(nowMs: number, cost: number): RateDecision {
    if (nowMs < this.#heldUntilMs) {
      const longest = nowMs + this.#longestHoldMs;
      this.#heldUntilMs = Math.max(
        this.#heldUntilMs,
        Math.min(longest, this.#heldUntilMs + this.#penaltyMs),
      );
      return { allowed: false, retryAfterS: this.#retryAfterS(nowMs), violation: true };
    }
    this.#forget(nowMs);
    let freeAtMs = nowMs;
    for (const { limit, windowMs } of this.#windows) {
      // The newest entry that must have left the window before `cost` more fit into it.
      const index = this.#accepted.length - 1 - (limit - Math.min(cost, limit));
      const blocking = index >= this.#head ? this.#accepted[index] : undefined;
      if (blocking !== undefined) freeAtMs = Math.max(freeAtMs, blocking + windowMs);
    }
    if (freeAtMs <= nowMs) return { allowed: true };
    // Whole seconds, as `retry_after` is: the hold ends when the answer said it would.
    this.hold(nowMs, nowMs + Math.ceil((freeAtMs - nowMs) / 1000) * 1000);
    return { allowed: false, retryAfterS: this.#retryAfterS(nowMs), violation: false };
  }

  /** Counts what `check` allowed. A call larger than a window (an album) counts as a full window. */
  accept(nowMs: number, cost: number): void {
    if (this.#windows.length === 0) return;
    const counted = Math.min(cost, this.#smallest);
    for (let count = 0; count < counted; count++) this.#accepted.push(nowMs);
  }

  #retryAfterS(nowMs: number): number {
    return Math.max(1, Math.ceil((this.#heldUntilMs - nowMs) / 1000));
  }

  #forget(nowMs: number): void {
    const accepted = this.#accepted;
    while (this.#head < accepted.length && (accepted[this.#head] ?? 0) <= nowMs - this.#keepMs)
      this.#head++;
    if (this.#head > 64 && this.#head * 2 > accepted.length) {
      this.#accepted = accepted.slice(this.#head);
      this.#head = 0;
    }
  }
}

/** The meters of all bots and chats. */
export class RateLimiter {
  readonly #meters = new Map<string, RateMeter>();
  readonly #penaltyMs: () => number;
  #checksUntilTidy = 10_000;

  constructor(penaltyMs: () => number) {
    this.#penaltyMs = penaltyMs;
  }

  /**
   * Meters one call of `cost` messages in several scopes at once: all accept it, or none counts it.
   * Scopes are keyed by name; without windows only a hold refuses.
   */
  take(
    nowMs: number,
    cost: number,
    scopes: { key: string; windows: readonly RateWindow[] }[],
  ): RateDecision {
    this.#tidy(nowMs);
    const meters: RateMeter[] = [];
    for (const { key, windows } of scopes) {
      let meter = this.#meters.get(key);
      if (meter === undefined) {
        if (windows.length === 0) continue;
        meter = new RateMeter(windows, this.#penaltyMs());
        this.#meters.set(key, meter);
      } else meter.tune(windows, this.#penaltyMs());
      const decision = meter.check(nowMs, cost);
      if (!decision.allowed) return decision;
      meters.push(meter);
    }
    for (const meter of meters) meter.accept(nowMs, cost);
    return { allowed: true };
  }

  /** Refuses what comes in this scope until then: a hold that nobody's counting explains. */
  hold(key: string, nowMs: number, untilMs: number): void {
    let meter = this.#meters.get(key);
    if (meter === undefined) {
      meter = new RateMeter([], this.#penaltyMs());
      this.#meters.set(key, meter);
    }
    meter.hold(nowMs, untilMs);
  }

  /** Meters of chats that went quiet are dropped now and then: a long run stays small. */
  #tidy(nowMs: number): void {
    if (--this.#checksUntilTidy > 0) return;
    this.#checksUntilTidy = 10_000;
    for (const [key, meter] of this.#meters) if (meter.idle(nowMs)) this.#meters.delete(key);
  }
}

/** The names of the scopes that messages are metered in. */
export const scopeKey = {
  bot: (botId: number) => `bot:${botId}`,
  paidBot: (botId: number) => `paid:${botId}`,
  chat: (botId: number, chatKey: string) => `chat:${botId}:${chatKey}`,
  group: (botId: number, chatKey: string) => `group:${botId}:${chatKey}`,
};
