/** Exponential backoff with full jitter: a delay between 0 and a ceiling that doubles up to a cap. */
export interface BackoffPolicy {
  baseMs: number;
  capMs: number;
}

/** The most that the wait after the `failures`-th failed attempt (1, 2, …) can be, in ms. */
export function backoffCeilingMs(failures: number, policy: BackoffPolicy): number {
  return Math.min(policy.capMs, policy.baseMs * 2 ** (Math.max(1, failures) - 1));
}

/** The wait after the `failures`-th failed attempt. `random` gives [0, 1). */
export function backoffDelayMs(
  failures: number,
  policy: BackoffPolicy,
  random: () => number = Math.random,
): number {
  return Math.floor(random() * backoffCeilingMs(failures, policy));
}
