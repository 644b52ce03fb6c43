import { isLockTimeout, isUnavailable } from "../platform/index.ts";

/** Lanes of a combined commit that failed which are tried alone at once. */
const ALONE_AT_ONCE = 3;
/** After so many lanes of one workspace that found a row locked, its others are not tried. */
const MAX_LOCK_TIMEOUTS = 2;

const BLOCKED_PAUSE_MS = 500;
const MAX_BLOCKED_PAUSE_MS = 5_000;
/** Blocked lanes are tried one by one: each makes the others' turn come so much later. */
const PAUSE_A_BLOCKED_LANE_MS = 5;

/**
 * How long a lane waits before it tries a locked row again, in ms: the more do, the longer, and not
 * all at once.
 */
export function blockedPauseMs(blockedLanes: number, random: () => number = Math.random): number {
  const spreadMs = Math.min(blockedLanes * PAUSE_A_BLOCKED_LANE_MS, MAX_BLOCKED_PAUSE_MS);
  return BLOCKED_PAUSE_MS + random() * spreadMs;
}

export interface CommitWays<Item, Result> {
  together(items: Item[]): Promise<Result[]>;
  alone(item: Item): Promise<Result>;
  workspaceOf(item: Item): string;
}

/**
 * Commits items together, or each alone where that fails: what one of them does must not hurt the
 * others. Answers one result an item, or a promise that rejects with why it failed alone.
 *
 * A row that many lanes of one workspace need (a counter, a setting) may be locked by somebody. To
 * try each of two hundred lanes would hold all other tenants' commits for as long as that takes: so
 * after two lock timeouts the workspace's other lanes get the same answer untried. Throws what no
 * item caused.
 */
export async function commitOrApart<Item, Result>(
  items: Item[],
  { together, alone, workspaceOf }: CommitWays<Item, Result>,
): Promise<Array<Result | Promise<Result>>> {
  try {
    return await together(items);
  } catch (error) {
    if (items.length === 1 || isUnavailable(error)) throw error;
  }
  const lockTimeouts = new Map<string, unknown[]>();
  const ends = new Map<Item, PromiseSettledResult<Result>>();
  const rest = items.values();
  let away: unknown;
  const tryRest = async () => {
    for (const item of rest) {
      const workspace = workspaceOf(item);
      const met = lockTimeouts.get(workspace) ?? [];
      lockTimeouts.set(workspace, met);
      const [end] = await Promise.allSettled([
        away !== undefined
          ? Promise.reject(away)
          : met.length >= MAX_LOCK_TIMEOUTS
            ? Promise.reject(met[0])
            : alone(item),
      ]);
      ends.set(item, end);
      if (end.status === "fulfilled") continue;
      if (isLockTimeout(end.reason)) met.push(end.reason);
      // Each of the others would wait as long to learn the same.
      if (isUnavailable(end.reason)) away = end.reason;
    }
  };
  await Promise.all(Array.from({ length: ALONE_AT_ONCE }, tryRest));
  return items.map((item) => {
    const end = ends.get(item);
    return end?.status === "fulfilled" ? end.value : Promise.reject(end?.reason);
  });
}
