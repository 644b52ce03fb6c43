/**
 * Fairness of wakes: a queue of wakes is first in, first out, so one workspace's 20,000 lanes would
 * make everybody else's wait for all of them. Each wake therefore carries a priority, which falls as
 * its workspace has more wakes outstanding.
 *
 * What is outstanding is not known to whoever sends a wake, but what it sent lately is: a count a
 * workspace that halves every second. A workspace that asks for little is always first, one that
 * floods goes behind all that ask for less, and nobody needs to be told how large a tenant is.
 *
 * Urgent wakes, of lanes with a job that somebody waits for, are counted once more, apart: a command
 * goes before the thousands of plain messages of its own workspace, and who floods with commands is
 * where who floods with messages is.
 */

/** BullMQ: 0 goes first, then 1, 2, … */
export type WakePriority = number;

/**
 * Lanes within a second or so, up to which a workspace has priority 0, 1, 2; above that it has the
 * last. Few steps, because a workspace's own wakes must stay in line: one that went up and down a
 * finer ladder overtook itself, and the wakes of its busiest moments waited for twenty seconds.
 */
const STEPS = [64, 128, 1_024];
/** Last of all: the sweep's own finds, and what has asked for the most. */
export const LAST_PRIORITY = STEPS.length;
/**
 * Lanes of these priorities (at most 90 a second of one workspace, and as many urgent ones) take
 * their leases and commit in batches of their own, so that they do not wait for the large batches of
 * a flood. More, and batches are halved where there is only one workspace: a fifth of the throughput
 * (docs/figures.md).
 */
const EXPRESS_BELOW = 2;

const HALF_LIFE_MS = 1_000;
/** Workspaces remembered: far more than one process wakes within a few seconds. */
const MAX_WORKSPACES = 10_000;

export const isExpress = (priority: WakePriority): boolean => priority < EXPRESS_BELOW;

interface Count {
  lanes: number;
  atMs: number;
}

export class WakePriorities {
  private readonly all = new RecentCounts();
  private readonly urgent = new RecentCounts();

  /** Workspaces remembered. */
  get size(): number {
    return this.all.size;
  }

  /**
   * Counts a lane of a workspace and answers the priority of its wake. An urgent wake counts among
   * all of them too, so its own count is never the larger one: it goes before its workspace's plain
   * wakes, or with them. `nowMs` is monotonic.
   */
  next(workspaceId: string, nowMs: number, urgent = false): WakePriority {
    const ofAll = stepOf(this.all.add(workspaceId, nowMs));
    return urgent ? Math.min(ofAll, stepOf(this.urgent.add(workspaceId, nowMs))) : ofAll;
  }
}

const stepOf = (lanes: number): WakePriority => STEPS.filter((step) => lanes > step).length;

/** How many lanes each workspace asked for lately. */
class RecentCounts {
  private readonly counts = new Map<string, Count>();

  get size(): number {
    return this.counts.size;
  }

  /** Counts one more, and answers the count. */
  add(workspaceId: string, nowMs: number): number {
    const count = this.counts.get(workspaceId) ?? { lanes: 0, atMs: nowMs };
    count.lanes = remaining(count, nowMs) + 1;
    count.atMs = nowMs;
    if (this.counts.size >= MAX_WORKSPACES && !this.counts.has(workspaceId)) this.forget(nowMs);
    this.counts.set(workspaceId, count);
    return count.lanes;
  }

  /** Workspaces that asked for nothing lately; all of them, should none be quiet. */
  private forget(nowMs: number): void {
    for (const [workspaceId, count] of this.counts) {
      if (remaining(count, nowMs) < 1) this.counts.delete(workspaceId);
    }
    if (this.counts.size >= MAX_WORKSPACES) this.counts.clear();
  }
}

function remaining({ lanes, atMs }: Count, nowMs: number): number {
  return lanes * 0.5 ** ((nowMs - atMs) / HALF_LIFE_MS);
}
