const LOOK_MS = 20;
const DEADLINE_MS = 300_000;

/** Waits until something holds; throws after five minutes. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error("waited five minutes in vain");
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
