/**
 * What the global setup made and the global teardown undoes, last made first. It hangs on
 * `globalThis` because jest loads the two files separately.
 */
const shared = globalThis as { heliographTeardown?: Array<() => Promise<unknown>> };
shared.heliographTeardown ??= [];
const undo = shared.heliographTeardown;

export function atTeardown(step: () => Promise<unknown>): void {
  undo.push(step);
}

/** Runs every step, even when one fails; then throws what failed. */
export async function undoEverything(): Promise<void> {
  const failures: unknown[] = [];
  for (let step = undo.pop(); step !== undefined; step = undo.pop()) {
    await step().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw new AggregateError(failures, "The test run could not clean up");
}
