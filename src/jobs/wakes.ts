import type { WakeTransport } from "./transport.ts";
import type { QueueName } from "./types.ts";
import { WakePriorities, type WakePriority } from "./wake-priority.ts";

/** A lane that has something to do, and whose it is. */
export interface WokenLane {
  lane: string;
  workspaceId: string;
  /** Somebody waits for one of its jobs. */
  urgent?: boolean;
}

/** Says that lanes have something to do. Must not throw and must not wait. */
export type Wake = (queue: QueueName, lanes: Iterable<WokenLane>) => void;

/** Sends wakes with the priority that each workspace has at the moment. */
export function createWake(transport: Pick<WakeTransport, "wake">): Wake {
  const priorities = new WakePriorities();
  return (queue, lanes) => {
    const nowMs = performance.now();
    const byPriority = new Map<WakePriority, string[]>();
    for (const { lane, workspaceId, urgent } of lanes) {
      const priority = priorities.next(workspaceId, nowMs, urgent);
      const names = byPriority.get(priority);
      if (names === undefined) byPriority.set(priority, [lane]);
      else names.push(lane);
    }
    for (const [priority, names] of byPriority) transport.wake(queue, names, priority);
  };
}
