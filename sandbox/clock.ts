/**
 * Time, as the sandbox knows it. Everything that waits or expires here (redelivery, long polls,
 * rate windows, lifetimes of updates) asks a clock, so that a test can live through a day at once.
 */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs `run` after `delayMs`; the function it gives cancels that. */
  schedule(delayMs: number, run: () => void): () => void;
}

/** Real time. Its timers do not keep a process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  schedule(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** A clock that stands still until it is told to advance. */
export class ManualClock implements Clock {
  #nowMs: number;
  #timers = new Set<{ at: number; order: number; run: () => void }>();
  #order = 0;

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  schedule(delayMs: number, run: () => void): () => void {
    const timer = { at: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** How long until the next timer fires, in milliseconds; undefined when none is set. */
  nextTimerMs(): number | undefined {
    const next = this.#next(Number.POSITIVE_INFINITY);
    return next === undefined ? undefined : next.at - this.#nowMs;
  }

  /** Moves time forward, running each timer at its own moment, in order. */
  advance(ms: number): void {
    const end = this.#nowMs + ms;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.at);
      next.run();
    }
    this.#nowMs = end;
  }

  #next(until: number) {
    let best: { at: number; order: number; run: () => void } | undefined;
    for (const timer of this.#timers) {
      if (timer.at > until) continue;
      if (
        best === undefined ||
        timer.at < best.at ||
        (timer.at === best.at && timer.order < best.order)
      )
        best = timer;
    }
    return best;
  }
}
