export interface WaitForOptions {
  /** Gives up after this long. Default 20 000. */
  timeoutMs?: number;
  /** Pause between looks. Default 10. */
  intervalMs?: number;
  /** What is waited for, for the error: "the lane to be released". */
  what?: string;
}

/**
 * Looks again and again until `check` gives something truthy, and gives that. A `check` that throws
 * counts as "not yet"; what it threw last is told when time is up.
 */
export async function waitFor<Result>(
  check: () => Result | Promise<Result>,
  { timeoutMs = 20_000, intervalMs = 10, what = "a condition" }: WaitForOptions = {},
): Promise<Exclude<Result, false | null | undefined | 0 | "">> {
  const deadline = performance.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const result = await check();
      lastError = undefined;
      if (result) return result as Exclude<Result, false | null | undefined | 0 | "">;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() >= deadline) {
      throw new Error(`Waited ${timeoutMs} ms for ${what}, in vain`, { cause: lastError });
    }
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
