import { hostname } from "node:os";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Database, type Logger, type Queryable, softwareVersion } from "../platform/index.ts";
import type { QueueName } from "./types.ts";

/**
 * Who works here: each process writes a row when it starts, renews it every few seconds with what
 * an operator asks about it, and takes it away when it stops. A process that died leaves its row;
 * it counts as gone once its heartbeat is old, and the row is pruned after a day.
 *
 * For people, and for one question of the engine's: whether a worker that left a job marked is gone
 * (worker-life.ts). Otherwise it goes by leases, and nothing here keeps work from being done.
 */
export interface ProcessView {
  id: string;
  role: string;
  host: string;
  pid: number;
  version: string;
  queues: QueueName[];
  startedAt: string;
  heartbeatAt: string;
  heartbeatAgeMs: number;
  /** False: it missed several heartbeats, so it was killed, is stopped, or cannot reach Postgres. */
  alive: boolean;
  /** As its last heartbeat said. */
  lanesHeld: number;
  /** Some of them, each held by this process now by its lane's own row; none of a process gone. */
  lanes: { queue: QueueName; lane: string }[];
  /** The longest the event loop kept anything waiting since the heartbeat before, in ms. */
  eventLoopDelayMs: number;
  /** Resident set. */
  memoryBytes: number;
}

/** What the registry asks of the engine of its process. */
export interface Held {
  readonly owner: string;
  readonly count: number;
  sample(limit: number): { queue: QueueName; lane: string }[];
}

export interface ProcessRegistryOptions {
  db: Database;
  held: Held;
  queues(): QueueName[];
  log: Logger;
  /** Default 5 000. */
  heartbeatMs?: number;
}

const HEARTBEAT_MS = 5_000;
/** Three heartbeats, and the time a busy database may take over one. */
const GONE_AFTER_MS = 20_000;
const PRUNE_EVERY_BEATS = 720;
const LEAVE_TIMEOUT_MS = 1_000;
const LANES_SHOWN = 20;
/** How finely the event loop is looked at, in ms. */
const LOOP_RESOLUTION_MS = 20;

const BEAT = `/* jobs.process-beat */
INSERT INTO processes AS p (id, role, host, pid, version, queues, started_at, heartbeat_at,
  lanes_held, held_queues, held_lanes, event_loop_delay_ms, memory_bytes)
VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() - $7 * interval '1 ms', clock_timestamp(),
  $8, $9, $10, $11, $12)
ON CONFLICT (id) DO UPDATE SET queues = excluded.queues, heartbeat_at = excluded.heartbeat_at,
  lanes_held = excluded.lanes_held, held_queues = excluded.held_queues,
  held_lanes = excluded.held_lanes, event_loop_delay_ms = excluded.event_loop_delay_ms,
  memory_bytes = excluded.memory_bytes`;

const LEAVE = "/* jobs.process-leave */ DELETE FROM processes WHERE id = $1";

const PRUNE = `/* jobs.processes-prune */
DELETE FROM processes WHERE heartbeat_at < now() - interval '1 day'`;

/** Held lanes are looked up by key: an index on the owner would cost every lease an entry. */
const LIST = `/* jobs.processes */
SELECT p.id, p.role, p.host, p.pid, p.version, p.queues, p.started_at AS "startedAt",
  p.heartbeat_at AS "heartbeatAt", p.lanes_held AS "lanesHeld", p.event_loop_delay_ms AS "loopMs",
  p.memory_bytes AS "memoryBytes",
  (extract(epoch FROM clock_timestamp() - p.heartbeat_at) * 1000)::double precision AS "ageMs",
  coalesce(h.lanes, '[]') AS lanes
FROM (SELECT * FROM processes ORDER BY heartbeat_at DESC LIMIT $1) p
LEFT JOIN LATERAL (
  SELECT json_agg(json_build_object('queue', l.queue, 'lane', l.lane)) AS lanes
  FROM unnest(p.held_queues, p.held_lanes) AS t(queue, lane)
  JOIN lanes l ON l.queue = t.queue AND l.lane = t.lane
  WHERE l.owner = p.id AND l.lease_until > now()
) h ON true
ORDER BY p.role, p.started_at, p.id`;

interface ProcessRow extends Omit<ProcessView, "startedAt" | "heartbeatAt" | "memoryBytes"> {
  startedAt: Date;
  heartbeatAt: Date;
  memoryBytes: string;
  ageMs: number;
  loopMs: number;
}

/** The processes heard of within a day, by role and age; at most `limit`, the latest heard first. */
export async function listProcesses(db: Queryable, limit = 200): Promise<ProcessView[]> {
  const rows = await db.query<ProcessRow>(LIST, [limit]);
  return rows.map(({ ageMs, loopMs, ...row }) => {
    const alive = ageMs < GONE_AFTER_MS;
    return {
      ...row,
      startedAt: row.startedAt.toISOString(),
      heartbeatAt: row.heartbeatAt.toISOString(),
      heartbeatAgeMs: Math.max(0, Math.round(ageMs)),
      alive,
      lanesHeld: alive ? row.lanesHeld : 0,
      lanes: alive ? row.lanes : [],
      eventLoopDelayMs: Math.round(loopMs * 10) / 10,
      memoryBytes: Number(row.memoryBytes),
    };
  });
}

/** This process's own entry. */
export class ProcessRegistry {
  private readonly options: ProcessRegistryOptions;
  private readonly loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  private timer: NodeJS.Timeout | undefined;
  private beating: Promise<void> | undefined;
  private beats = 0;

  constructor(options: ProcessRegistryOptions) {
    this.options = options;
  }

  /** Announces the process and goes on doing so. Never fails: a database that is away hears later. */
  async start(role: string): Promise<void> {
    if (this.timer !== undefined) return;
    this.loop.enable();
    const beat = () => {
      this.beating ??= this.beat(role).finally(() => {
        this.beating = undefined;
      });
      return this.beating;
    };
    this.timer = setInterval(() => void beat(), this.options.heartbeatMs ?? HEARTBEAT_MS);
    this.timer.unref();
    await beat();
  }

  /** Takes the entry away. Never fails: without a database the entry grows old instead. */
  async stop(): Promise<void> {
    if (this.timer === undefined) return;
    clearInterval(this.timer);
    this.timer = undefined;
    this.loop.disable();
    const { db, held, log } = this.options;
    const leave = async () => {
      // After a heartbeat under way, which would write the row again.
      await this.beating;
      await db.query(LEAVE, [held.owner]);
    };
    const left = leave().catch((error) => {
      log.debug({ err: error }, "the process could not be signed off");
    });
    // A database that hangs must not use up the time a process has to stop.
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LEAVE_TIMEOUT_MS);
    });
    await Promise.race([left, timeout]);
    clearTimeout(timer);
  }

  private async beat(role: string): Promise<void> {
    const { db, held, queues, log } = this.options;
    const lanes = held.sample(LANES_SHOWN);
    // What is above the resolution was waiting; an idle loop shows the resolution itself.
    const loopMs = Math.max(0, this.loop.max / 1e6 - LOOP_RESOLUTION_MS);
    this.loop.reset();
    try {
      await db.query(BEAT, [
        held.owner,
        role,
        hostname(),
        process.pid,
        softwareVersion,
        queues(),
        Math.round(process.uptime() * 1_000),
        held.count,
        lanes.map((lane) => lane.queue),
        lanes.map((lane) => lane.lane),
        Number.isFinite(loopMs) ? loopMs : 0,
        process.memoryUsage.rss(),
      ]);
      if (this.beats++ % PRUNE_EVERY_BEATS === 0) await db.query(PRUNE);
    } catch (error) {
      log.debug({ err: error }, "a heartbeat of the process could not be written");
    }
  }
}
