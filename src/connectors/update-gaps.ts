/**
 * Which updates did not arrive, told from the numbers of those that did (Bot API: Update,
 * update_id rises by one). Pure.
 *
 * Late and shuffled arrival is normal: Telegram delivers an update again for up to a day. So a hole
 * counts once it has been there for a while, and closes when what was missing comes after all. The
 * first update a bot ever sent begins the window: nothing is missing below the lowest one seen.
 */

/** A run of numbers that arrived, without a hole, and when its first and last arrived. */
export interface SeenRange {
  firstId: number;
  lastId: number;
  fromMs: number;
  seenMs: number;
}

/** Numbers between two runs. `sinceMs`: when both something below and something above was seen. */
export interface Hole {
  firstId: number;
  lastId: number;
  sinceMs: number;
}

/** Retries of a delivery are at most about two minutes apart; a restart of ours takes less. */
export const GAP_AFTER_MS = 10 * 60_000;
/** After a silent week the next number is random (Bot API: Update); clocks may differ by an hour. */
const SILENCE_MS = (7 * 24 - 1) * 3_600_000;
/** No bot gets more updates than this a second, so a wider step is a jump too. */
const MAX_PER_SECOND = 10_000;
const MAX_AT_ONCE = 1_000_000;

/** Holes between the runs, lowest first; `ranges` need not be sorted but must not overlap. */
export function holesOf(ranges: readonly SeenRange[]): Hole[] {
  const sorted = [...ranges].sort((a, b) => a.firstId - b.firstId);
  // Sightings as far as the next jump; where a hole begins and what is above it can be old and new.
  const holes: Hole[] = [];
  const aboveMs = new Array<number>(sorted.length);
  for (let n = sorted.length - 1; n >= 0; n--) {
    const [range, next] = [sorted[n], sorted[n + 1]];
    if (range === undefined) continue;
    const above =
      next === undefined || isJump(range, next) ? Infinity : (aboveMs[n + 1] ?? Infinity);
    aboveMs[n] = Math.min(range.fromMs, above);
  }
  let belowMs = Infinity;
  for (const [n, range] of sorted.entries()) {
    const next = sorted[n + 1];
    if (next === undefined) break;
    belowMs = Math.min(belowMs, range.fromMs);
    if (isJump(range, next)) {
      belowMs = Infinity;
      continue;
    }
    const sinceMs = Math.max(belowMs, aboveMs[n + 1] ?? next.fromMs);
    holes.push({ firstId: range.lastId + 1, lastId: next.firstId - 1, sinceMs });
  }
  return holes;
}

/** Holes that have been there for so long that what is missing may well not come. */
export function gapsOf(holes: readonly Hole[], nowMs: number): Hole[] {
  return holes.filter(({ sinceMs }) => nowMs - sinceMs >= GAP_AFTER_MS);
}

export function missingIn(holes: readonly Hole[]): number {
  return holes.reduce((sum, { firstId, lastId }) => sum + lastId - firstId + 1, 0);
}

/** True when the numbers between two neighbouring runs never were given to updates. */
function isJump(low: SeenRange, high: SeenRange): boolean {
  const silentMs = Math.max(high.fromMs - low.seenMs, low.fromMs - high.seenMs);
  if (silentMs >= SILENCE_MS) return true;
  const between = high.firstId - low.lastId - 1;
  return between > MAX_AT_ONCE + (Math.max(silentMs, 0) / 1_000) * MAX_PER_SECOND;
}

/** Runs of numbers, each as long as can be. */
export function runsOf(ids: readonly number[]): Array<{ firstId: number; lastId: number }> {
  const runs: Array<{ firstId: number; lastId: number }> = [];
  for (const id of [...ids].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last !== undefined && id <= last.lastId + 1) last.lastId = id;
    else runs.push({ firstId: id, lastId: id });
  }
  return runs;
}
