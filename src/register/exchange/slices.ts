import { setImmediate as nextTurn } from "node:timers/promises";

/** How long the process does nothing else: webhooks and other calls wait for as long. */
const SLICE_MS = 10;
/** Between two looks at the clock. */
const LOOK_EVERY = 64;

/** Does `work` with each item, and gives way to everything else now and then. */
export async function inSlices<Item>(
  items: Iterable<Item>,
  work: (item: Item) => void,
): Promise<void> {
  let begunMs = performance.now();
  let done = 0;
  for (const item of items) {
    work(item);
    if (++done % LOOK_EVERY !== 0 || performance.now() - begunMs < SLICE_MS) continue;
    await nextTurn();
    begunMs = performance.now();
  }
}

/** `items` in arrays of at most `size`. */
export function* batchesOf<Item>(items: readonly Item[], size: number): Generator<Item[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}
