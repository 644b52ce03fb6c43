/** So many seconds' worth of messages are outstanding: what still goes out after a pause, at most. */
const SECONDS_AHEAD = 10;
/** Ten seconds at the documented 30 a second. */
export const LEAST_TARGET = 300;
/** Ten seconds at the 1,000 a second of paid broadcasts. */
const MOST_TARGET = 10_000;

/**
 * How many messages of a broadcast are to be outstanding: as many as its bot sends in ten seconds, by
 * what went since the last look. A bot that sends faster than it is fed empties its stock within a
 * look, which says so: the stock grows tenfold with each, until it lasts. `gone`: messages that left
 * the queue in `elapsedMs`.
 */
export function feedTarget({ gone, elapsedMs }: { gone: number; elapsedMs: number }): number {
  if (!(elapsedMs > 0)) return LEAST_TARGET;
  const perSecond = (Math.max(0, gone) * 1_000) / elapsedMs;
  const target = Math.ceil(perSecond * SECONDS_AHEAD);
  return Math.min(Math.max(target, LEAST_TARGET), MOST_TARGET);
}
