import { Batcher } from "./batcher.ts";
import { isUnavailable } from "./database.ts";

const MAX_KEYS = 200;
/** Statements under way: a key by itself waits for none of them. */
const UNDER_WAY = 2;

/**
 * Looks rows up by their key; keys that are asked for in the same moment are asked for in one
 * statement. `read` answers what there is, by key, and its error is that of each key it was asked
 * for, once each has been tried by itself.
 */
export function createLookup<Key, Value>(
  read: (keys: Key[]) => Promise<Map<Key, Value>>,
): (key: Key) => Promise<Value | undefined> {
  const lookups = new Batcher<Key, Value | undefined>({
    maxItems: MAX_KEYS,
    maxUnderWay: UNDER_WAY,
    isShared: isUnavailable,
    run: async (keys) => {
      const found = await read([...new Set(keys)]);
      return keys.map((key) => found.get(key));
    },
  });
  return (key) => lookups.add(key);
}
