import type { JobId } from "../jobs/index.ts";

/** A call is chosen this much before it can leave, at least and at most. */
const LEAD_MS = { least: 80, most: 300 };
/** Calls in flight at once, however quick or slow Telegram is. */
const CALLS = { least: 4, most: 200 };
/** Between a call's answer and its end on record, about. */
const RECORD_MS = 50;
/** Twice what is needed on average: calls don't come evenly. */
const SLACK = 2;
/** Of the newest measure, in a moving one. */
const SHARE = 0.1;

/**
 * How long a bot's calls take on their way, as moving measures: from the choice until one could
 * leave (its attempt is committed first), and from there to its answer. Times are ms since the epoch.
 */
export class Flow {
  private readonly chosenAtMs = new Map<JobId, number>();
  private readonly inFlight = new Set<JobId>();
  private beginMs = 20;
  private callMs = 50;

  chosen(id: JobId, nowMs: number): void {
    this.chosenAtMs.set(id, nowMs);
    this.inFlight.add(id);
  }

  /** Its attempt is on record: it could leave. */
  began(id: JobId, nowMs: number): void {
    const chosenMs = this.chosenAtMs.get(id);
    if (chosenMs !== undefined) this.beginMs += SHARE * (nowMs - chosenMs - this.beginMs);
    this.chosenAtMs.delete(id);
  }

  /** It has its answer, or will not leave. */
  ended(id: JobId): void {
    this.chosenAtMs.delete(id);
    this.inFlight.delete(id);
  }

  /** It was answered, or given up, so long after it left. */
  took(ms: number): void {
    this.callMs += SHARE * (ms - this.callMs);
  }

  /** How early a call is to be chosen, so that its attempt is on record when its time comes. */
  get leadMs(): number {
    return Math.min(LEAD_MS.most, LEAD_MS.least + 2 * this.beginMs);
  }

  /**
   * Calls that keep the rate up (Little's law): those on their way to leave, under way, and ending.
   * `mayChoose`: false while nothing may be chosen; then it is what is in flight, so that nobody looks
   * for more in vain.
   */
  concurrency(perSecond: number, mayChoose: boolean): number {
    const inFlightMs = this.leadMs + this.callMs + RECORD_MS;
    const calls = CALLS.least + Math.ceil((SLACK * perSecond * inFlightMs) / 1_000);
    const most = Math.min(CALLS.most, calls);
    return mayChoose ? most : Math.min(most, Math.max(1, this.inFlight.size));
  }
}
