const LOOK_MS = 20;
const DEADLINE_MS = 300_000;

/** Waits until something holds; throws after five minutes, or after `withinMs`. */
export async function until(
  holds: () => Promise<boolean>,
  { withinMs = DEADLINE_MS, everyMs = LOOK_MS } = {},
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited ${withinMs / 1_000} s in vain`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
