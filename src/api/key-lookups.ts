import { Batcher, isUnavailable } from "../platform/index.ts";

/** Connections of the pool that lookups may have at once: updates are committed over the same pool. */
const AT_ONCE = 2;
/** Of the keys that were good a moment ago, and of all others. */
const MAX_WAITING = 500;

/**
 * Looks keys up, few at once. Anybody may send keys that do not exist: they must not take the
 * connections that others need, and keys that were good a moment ago (`isKnown`) take turns with
 * them. The lookup throws what `find` throws, and `Overloaded` when too many wait.
 */
export function createKeyLookups<Found>(
  find: (key: string) => Promise<Found>,
): (key: string, isKnown: boolean) => Promise<Found> {
  const lookups = new Batcher<{ key: string; isKnown: boolean }, Found>({
    maxItems: AT_ONCE,
    maxQueued: 2 * MAX_WAITING,
    maxQueuedOfGroup: MAX_WAITING,
    groupOf: ({ isKnown }) => (isKnown ? "known" : "others"),
    isShared: isUnavailable,
    run: (items) => Promise.all(items.map(({ key }) => find(key))),
  });
  return (key, isKnown) => lookups.add({ key, isKnown });
}
