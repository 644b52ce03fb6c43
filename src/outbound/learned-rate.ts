/**
 * The rate that one bot keeps to, found by trying. Telegram's limits vary and are told to nobody; all
 * that is known is which call was refused. Decided without I/O, times passed in (ms since the epoch).
 *
 *   lowered   by a refusal of the bot: a little under what had passed in the second before it, and
 *             never by more than two fifths at once, since one refusal may have another reason
 *   plateau   stays there for a while: to ask again costs a hold of a second or more
 *   growing   then slowly past where it was refused, and the faster the farther from there: a limit
 *             that was raised is found within a minute, one that was not costs a refusal in half a minute
 *   ceiling   never beyond what is documented, or what the workspace says
 *
 * Only time in which the bot was limited by the rate counts, and used most of it: who sends nothing
 * learns nothing, and who is kept below the rate by something else (a slow database) learns of no
 * more than it sends, so that one refusal takes it back to what is true. (The
 * shape is that of CUBIC, RFC 9438: a plateau at the last refusal, then a cube.)
 */

/** What is kept of it. */
export interface LearnedState {
  /** Calls a second it was lowered to last; null: never refused. */
  plateau: number | null;
  /** Time under load since then. */
  busyMs: number;
}

/** Of the ceiling so much is used: what leaves evenly does not arrive quite so. */
const USED_SHARE = 0.98;
/** Of what has passed, so much is tried next. At 11 calls a second it leaves 25 ms for jitter. */
const STEP = 0.975;
/** One refusal lowers it to no less than so much of what it was. */
const DEEPEST_STEP = 0.6;
const PLATEAU_MS = 24_000;
/** Of the logarithm, per second cubed: 2.5 % after 5 s, 2.3 times as much after 16 s. */
const GROWTH = 2e-4;
const MIN_PER_SECOND = 1;
/** Bot API FAQ: about 30 messages a second. Where the ceiling is higher it is searched from here. */
const DOCUMENTED_PER_SECOND = 30;
/** It is under load if a call had to wait for the rate within this time. */
const LOAD_MEMORY_MS = 5_000;
/**
 * So much of the rate has to be used for it to grow. No less than a refusal lowers it to: what was
 * never tried is undone by the first.
 */
const TRIED_SHARE = DEEPEST_STEP;
const SECOND_MS = 1_000;
/**
 * What passed in the second before a refusal: a second at the far end, where two that left this much
 * farther apart may have arrived within one.
 */
const COUNTED_MS = 1_060;

export class LearnedRate {
  private plateau: number | null;
  private busyMs: number;
  private topPerSecond: number;
  /**
   * When calls left that passed, the newest last: those of the last two seconds. Of what is on record it is
   * when they ended.
   */
  private passes: number[] = [];
  private lastPassMs: number | null = null;
  private loadedAtMs = Number.NEGATIVE_INFINITY;
  private loweredAtMs = Number.NEGATIVE_INFINITY;

  /** `ceiling`: calls a second that are never exceeded. `state`: what was learned before. */
  constructor(ceiling: number, state: LearnedState | null = null) {
    this.topPerSecond = ceiling * USED_SHARE;
    this.plateau = state?.plateau ?? null;
    this.busyMs = state?.busyMs ?? 0;
  }

  /** Calls a second, now. */
  get perSecond(): number {
    const started = this.plateau ?? DOCUMENTED_PER_SECOND * USED_SHARE;
    const growingMs = this.busyMs - (this.plateau === null ? 0 : PLATEAU_MS);
    const grown = started * Math.exp(GROWTH * (Math.max(0, growingMs) / SECOND_MS) ** 3);
    return Math.min(this.topPerSecond, grown);
  }

  /** What is worth keeping; null: nothing was learned. */
  get state(): LearnedState | null {
    if (this.plateau === null && this.busyMs === 0) return null;
    return { plateau: this.plateau, busyMs: this.busyMs };
  }

  /** So many calls that left then, not by this drain, were taken: a refusal is understood by them. */
  record(leftMs: number, count: number): void {
    if (count === 0) return;
    this.keepPasses(leftMs, count);
    this.lastPassMs = Math.max(leftMs, this.lastPassMs ?? leftMs);
  }

  /** The workspace raised or lowered it. */
  setCeiling(perSecond: number): void {
    this.topPerSecond = perSecond * USED_SHARE;
  }

  /** There was more to send than the rate let through. */
  noteLoad(nowMs: number): void {
    this.loadedAtMs = Math.max(this.loadedAtMs, nowMs);
  }

  /** Whether that was so of late. */
  isUnderLoad(nowMs: number): boolean {
    return nowMs - this.loadedAtMs <= LOAD_MEMORY_MS;
  }

  /**
   * A call that left then was taken. `waited`: it would have left earlier but for this rate. `cost`: as
   * how many it counts.
   */
  passed(leftMs: number, waited: boolean, cost = 1): void {
    this.keepPasses(leftMs, cost);
    const sinceMs = leftMs - (this.lastPassMs ?? leftMs);
    this.lastPassMs = Math.max(leftMs, this.lastPassMs ?? leftMs);
    if (!waited) return;
    this.noteLoad(leftMs);
    if (!this.isTried()) return;
    if (this.perSecond >= this.topPerSecond) this.reachTop();
    else this.busyMs += Math.min(Math.max(0, sinceMs), SECOND_MS);
  }

  /** The bot was refused, by a call that left then. Several that left before it was known count once. */
  refused(leftMs: number, nowMs: number): void {
    if (leftMs <= this.loweredAtMs) return;
    const rate = this.perSecond;
    const passed = this.passes.filter(
      (passMs) => passMs > leftMs - COUNTED_MS && passMs < leftMs,
    ).length;
    // Who sends now and then was not refused for how much they send a second.
    const known = this.isUnderLoad(leftMs) && passed > 0 ? Math.min(rate, passed) : rate;
    this.plateau = Math.max(MIN_PER_SECOND, rate * DEEPEST_STEP, known * STEP);
    this.busyMs = 0;
    this.loweredAtMs = nowMs;
  }

  /** And forgets those of more than two seconds before. */
  private keepPasses(leftMs: number, count: number): void {
    for (let n = 0; n < count; n++) this.passes.push(leftMs);
    const first = this.passes.findIndex((passMs) => passMs > leftMs - 2 * SECOND_MS);
    if (first > 0) this.passes.splice(0, first);
  }

  /** Most of the rate was used of late. */
  private isTried(): boolean {
    const spanMs = (this.passes.at(-1) ?? 0) - (this.passes[0] ?? 0);
    return this.passes.length - 1 >= (TRIED_SHARE * this.perSecond * spanMs) / SECOND_MS;
  }

  /** Nothing is refused at the ceiling: what was learned below it is over. */
  private reachTop(): void {
    const isDocumented = this.topPerSecond <= DOCUMENTED_PER_SECOND * USED_SHARE;
    this.plateau = isDocumented ? null : this.topPerSecond;
    this.busyMs = 0;
  }
}
