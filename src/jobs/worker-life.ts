import type { Queryable } from "../platform/index.ts";

/**
 * Whether a worker that left a mark on a job is gone, or lives and only lost its lease. Leases
 * cannot tell: they run out for both. The watchdog's record of a death can, and so can the
 * heartbeats of processes (process-registry.ts): one that lives is heard of again.
 */

/** What is on record of a worker. */
export interface Heard {
  /** Its last heartbeat, as text: compared, not reckoned with, for Postgres's clock may jump. */
  heartbeat: string;
  /** Its watchdog ended it. */
  died: boolean;
}

/** When this process first saw a mark of a worker, by its own monotonic clock, and its heartbeat then. */
export interface MarkSeen {
  heartbeat: string;
  sinceMs: number;
}

/** Two heartbeats, and the time a busy database may take over one. */
const SILENT_MS = 12_000;

/**
 * `heard`: null when there is nothing on record, as of one that signed off or never announced
 * itself. It lives when it was heard of since the mark was first seen here, and is gone when it was
 * not for a while.
 */
export function judgeMark(
  heard: Heard | null,
  seen: MarkSeen | undefined,
  nowMs: number,
): "gone" | "lives" | "unknown" {
  if (heard === null || heard.died) return "gone";
  if (seen === undefined) return "unknown";
  if (heard.heartbeat !== seen.heartbeat) return "lives";
  return nowMs - seen.sinceMs >= SILENT_MS ? "gone" : "unknown";
}

/** The names are made in createJobs (index.ts) of what the registry keeps in columns. */
const WORKERS = `/* jobs.workers */
SELECT w.worker, p.heartbeat_at::text AS heartbeat,
  EXISTS (SELECT FROM worker_deaths d WHERE d.worker = w.worker) AS died
FROM unnest($1::text[]) AS w(worker)
JOIN processes p ON p.host || '/' || p.pid || '/' || left(p.id::text, 8) = w.worker`;

/** What is on record of these workers, by their names in the ledger. */
export async function readWorkers(on: Queryable, workers: string[]): Promise<Map<string, Heard>> {
  if (workers.length === 0) return new Map();
  const rows = await on.query<Heard & { worker: string }>(WORKERS, [[...new Set(workers)]]);
  return new Map(rows.map(({ worker, heartbeat, died }) => [worker, { heartbeat, died }]));
}
