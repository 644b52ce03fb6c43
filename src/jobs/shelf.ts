import { JOB_STATES, type JobState, QUEUES, type QueueName } from "./types.ts";

/**
 * The shelf of a job: its queue and its standing as one small number, which it has from when it is
 * filed (filing.ts) until it is changed. Every index that people search by has it
 * before the id, so a search runs shelf by shelf, each in the order of ids.
 *
 * The standing is the state, but `available` is two: what was enqueued to run at once, and
 * (`scheduled`) what was enqueued for a later time, whether that time has come or not.
 */
export type Standing = JobState | "scheduled";

const STANDINGS: readonly Standing[] = [
  "available",
  "scheduled",
  "running",
  "retryable",
  "completed",
  "discarded",
  "cancelled",
];
const SHELVES_PER_QUEUE = 8;

/** Where the job `j` belongs, filed or not, as SQL (migrations/0005_ledger.ts). */
export const SHELF = "shelf_of(j.queue, j.state, j.run_at, j.created_at)";

/** States as people name them: what is due and waits is `available`, what is not yet, `scheduled`. */
export const SHOWN_STATES: readonly Standing[] = [...JOB_STATES, "scheduled"];

export function shelfOf(queue: QueueName, standing: Standing): number {
  return QUEUES.indexOf(queue) * SHELVES_PER_QUEUE + STANDINGS.indexOf(standing);
}

/** The queue and standing of a shelf. Throws for a number that is none. */
export function placeOf(shelf: number): { queue: QueueName; standing: Standing } {
  const queue = QUEUES[Math.floor(shelf / SHELVES_PER_QUEUE)];
  const standing = STANDINGS[shelf % SHELVES_PER_QUEUE];
  if (queue === undefined || standing === undefined) throw new Error(`no shelf ${shelf}`);
  return { queue, standing };
}

/** A shelf to look at, and which of its jobs: those that are due, those that are not, or all. */
export interface ShelfPart {
  shelf: number;
  queue: QueueName;
  due: boolean | null;
}

/** Where jobs of these queues and shown states stand. Undefined: any. */
export function shelfParts(
  queues: readonly QueueName[] = QUEUES,
  states: readonly Standing[] = SHOWN_STATES,
): ShelfPart[] {
  const named = new Set(states);
  const parts: { standing: Standing; due: boolean | null }[] = [];
  for (const standing of STANDINGS) {
    if (standing !== "scheduled") {
      if (named.has(standing)) parts.push({ standing, due: null });
    } else if (named.has("scheduled") || named.has("available")) {
      const both = named.has("scheduled") && named.has("available");
      parts.push({ standing, due: both ? null : named.has("available") });
    }
  }
  return queues.flatMap((queue) =>
    parts.map(({ standing, due }) => ({ shelf: shelfOf(queue, standing), queue, due })),
  );
}
