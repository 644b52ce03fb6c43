import { createPostgresBackend, Queue, runMigrations, Worker } from "bullmq";
import pg from "pg";
import { type Database, ENGINE_ROLE, type Logger, type RedisConfig } from "../platform/index.ts";
import { assertNoEviction, connectRedis, type RedisClient } from "./redis-connection.ts";
import { ReopenedWorker } from "./reopened-worker.ts";
import { QUEUES, type QueueName } from "./types.ts";
import type { WakePriority } from "./wake-priority.ts";

/**
 * The transport carries wakes: which lanes to look at, now. BullMQ on Redis or on Postgres; this is
 * the only file that knows which. Losing, repeating or delaying a wake costs a second, never data:
 * nothing waits for one, and nothing here may throw at those who send them.
 */
export interface WakeTransport {
  /** Says that lanes have something to do. Returns at once; never throws. */
  wake(queue: QueueName, lanes: Iterable<string>, priority: WakePriority): void;
  /** Hands wakes to `onWake`, lowest priority number first, at most `concurrency` at a time. */
  listen(queue: QueueName, concurrency: number, onWake: OnWake): Promise<WakeListener>;
  /** Resolves when wakes can travel now; throws with the reason otherwise. */
  check(): Promise<void>;
  /** BullMQ's own queues, for bull-board. Opened by the first call. */
  boardQueues(): object[];
  /** Wakes given up since the start, for metrics: the sweep carried those lanes. */
  readonly dropped: number;
  close(): Promise<void>;
}

export type OnWake = (lanes: string[], priority: WakePriority) => Promise<void>;

export interface WakeListener {
  /** Takes no more wakes, and waits at most `timeoutMs` for those that are being answered. */
  close(timeoutMs: number): Promise<void>;
}

export interface TransportOptions {
  db: Database;
  /** Undefined: BullMQ on Postgres. */
  redis?: RedisConfig;
  /** Most connections of the Postgres backend. */
  postgresConnections?: number;
  log: Logger;
}

/** One hash tag: every key of a queue in one slot of a Redis Cluster. */
const PREFIX = "{heliograph}";
const CLOSE_TIMEOUT_MS = 3_000;
const CONNECT_TIMEOUT_MS = 1_000;
/** Wakes in one bulk add. */
const MAX_BULK = 50;
/** Lanes named by one wake: few enough that several workers share a burst. */
const LANES_A_WAKE = 16;
/**
 * Lanes of one priority remembered while the transport is slow or away; the sweep carries what is
 * dropped. Of one priority, so that a flood does not have others' wakes dropped.
 */
const MAX_PENDING_LANES = 20_000;
/**
 * A wake's lock. Only a safety net of BullMQ's: recovery goes by leases and the sweep. Long, so
 * that a busy process does not have its wakes run a second time.
 */
const LOCK_MS = 30_000;

interface Wake {
  lanes: string[];
}

/** What is used of BullMQ's classes, whose types name their backend. */
interface Closable {
  on(event: "error", listener: (error: Error) => void): unknown;
  close(): Promise<void>;
}
interface WakeQueue extends Closable {
  addBulk(
    jobs: { name: string; data: Wake; opts: Parameters<Queue<Wake>["add"]>[2] }[],
  ): Promise<unknown>;
  waitUntilReady(): Promise<unknown>;
}
type WakeWorker = Closable;

interface Backend {
  openQueue(name: QueueName): WakeQueue;
  openWorker(name: QueueName, concurrency: number, onWake: OnWake): WakeWorker;
  check(): Promise<void>;
  close(): Promise<void>;
}

/** CREATE: BullMQ makes a sequence for each queue when it first hears of it. */
const RIGHTS = `
  SELECT pg_advisory_xact_lock(hashtext('heliograph'), hashtext('bullmq'));
  GRANT USAGE, CREATE ON SCHEMA bullmq TO ${ENGINE_ROLE};
  GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA bullmq TO ${ENGINE_ROLE};
  GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA bullmq TO ${ENGINE_ROLE}`;

/**
 * Creates or updates what the Postgres backend stores, as the login. Safe to run by several processes
 * at once. The schema holds wakes and no workspace's rows: the engine may use it, no tenant.
 */
export async function migrateTransport(db: Database): Promise<void> {
  const client = new pg.Client({
    ...db.connectionAs("login"),
    application_name: "heliograph migrate",
    connectionTimeoutMillis: 10_000,
  });
  client.on("error", () => {});
  await client.connect();
  try {
    await runMigrations(client, "bullmq");
    // One transaction, and one process at a time: rights are rows that two cannot change at once.
    await client.query(RIGHTS);
  } finally {
    await client.end();
  }
}

export function createTransport(options: TransportOptions): WakeTransport {
  const { log } = options;
  const backend =
    options.redis === undefined ? postgresBackend(options) : redisBackend(options.redis, log);
  const queues = new Map<QueueName, WakeQueue>();
  const pending = new Map<QueueName, Map<WakePriority, Set<string>>>();
  const flushing = new Set<QueueName>();
  let dropped = 0;
  let closed = false;

  const queueOf = (name: QueueName): WakeQueue => {
    let queue = queues.get(name);
    if (queue === undefined) {
      queue = backend.openQueue(name);
      queue.on("error", (error) => log.debug({ err: error, queue: name }, "wake queue error"));
      queues.set(name, queue);
      reopenUnlessReady(name, queue);
    }
    return queue;
  };

  /**
   * BullMQ on Postgres keeps what a queue's first look at the database came to: one that failed sends
   * nothing any more, and the next wake opens another.
   */
  const reopenUnlessReady = (name: QueueName, queue: WakeQueue): void => {
    queue.waitUntilReady().catch((error) => {
      log.debug({ err: error, queue: name }, "wake queue is opened anew");
      if (closed || queues.get(name) !== queue) return;
      queues.delete(name);
      queue.close().catch(() => {});
    });
  };

  const sendPending = async (name: QueueName): Promise<void> => {
    const byPriority = pending.get(name);
    while (byPriority !== undefined && byPriority.size > 0 && !closed) {
      const priority = Math.min(...byPriority.keys());
      const lanes = byPriority.get(priority) ?? new Set();
      const bulk = take(lanes, MAX_BULK * LANES_A_WAKE);
      if (lanes.size === 0) byPriority.delete(priority);
      try {
        await queueOf(name).addBulk(
          chunks(bulk, LANES_A_WAKE).map((some) => ({
            name: "wake",
            data: { lanes: some },
            opts: { removeOnComplete: true, removeOnFail: true, priority },
          })),
        );
      } catch (error) {
        dropped += bulk.length;
        log.debug({ err: error, queue: name, lanes: bulk.length }, "wakes dropped");
      }
    }
    // In the same moment in which nothing was left: a wake in between would wait for the next one.
    flushing.delete(name);
  };

  /** One bulk add under way a queue; lanes named meanwhile gather, each once a priority. */
  const flush = (name: QueueName): void => {
    if (flushing.has(name)) return;
    flushing.add(name);
    setImmediate(() => void sendPending(name));
  };

  return {
    wake: (name, lanes, priority) => {
      if (closed) return;
      const byPriority = pending.get(name) ?? new Map<WakePriority, Set<string>>();
      pending.set(name, byPriority);
      const set = byPriority.get(priority) ?? new Set();
      byPriority.set(priority, set);
      for (const lane of lanes) {
        if (set.size < MAX_PENDING_LANES) set.add(lane);
        else dropped++;
      }
      flush(name);
    },
    listen: async (name, concurrency, onWake) => {
      const worker = backend.openWorker(name, concurrency, onWake);
      worker.on("error", (error) => log.debug({ err: error, queue: name }, "wake worker error"));
      return { close: (timeoutMs) => within(timeoutMs, worker.close()) };
    },
    boardQueues: () => QUEUES.map(queueOf),
    check: () => backend.check(),
    get dropped() {
      return dropped;
    },
    close: async () => {
      closed = true;
      await within(CLOSE_TIMEOUT_MS, Promise.all([...queues.values()].map((q) => q.close())));
      await backend.close();
    },
  };
}

function redisBackend(settings: RedisConfig, log: Logger): Backend {
  const clients: RedisClient[] = [];
  const open = (role: "producer" | "consumer") => {
    const client = connectRedis(settings, role);
    client.on("error", (error) => log.debug({ err: error }, "redis connection error"));
    clients.push(client);
    return client;
  };
  const producer = open("producer");
  return {
    openQueue: (name) =>
      new Queue<Wake>(name, {
        connection: producer,
        prefix: PREFIX,
        skipWaitingForReady: true,
        skipMetasUpdate: true,
      }),
    openWorker: (name, concurrency, onWake) =>
      new Worker<Wake>(name, (job) => onWake(job.data.lanes, job.priority), {
        connection: open("consumer"),
        prefix: PREFIX,
        concurrency,
        lockDuration: LOCK_MS,
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
      }),
    check: async () => {
      await connected(producer);
      if ((await producer.ping()) !== "PONG") throw new Error("Redis does not answer PING");
      await assertNoEviction(producer);
    },
    close: async () => {
      for (const client of clients) client.disconnect();
    },
  };
}

function postgresBackend({ db, postgresConnections, log }: TransportOptions): Backend {
  // A pool of our own, because the schema of a pool that is passed in is its search_path's.
  const pool = new pg.Pool({
    ...db.pool.options,
    ...db.connectionAs("engine", "-c search_path=bullmq"),
    max: postgresConnections ?? 8,
    application_name: "heliograph wakes",
    keepAlive: true,
  });
  pool.on("error", (error) => log.debug({ err: error }, "wake connection error"));
  pool.on("connect", (client) => client.on("error", () => {}));
  // Every queue and worker listens to it, also those that were opened anew.
  pool.setMaxListeners(0);
  const check = async () => {
    await pool.query("SELECT 1");
  };
  return {
    openQueue: (name) => new Queue(name, { connection: pool }, createPostgresBackend),
    openWorker: (name, concurrency, onWake) =>
      new ReopenedWorker({
        check,
        open: () =>
          new Worker(
            name,
            (job) => onWake((job.data as Wake).lanes, job.priority),
            {
              connection: pool,
              autorun: false,
              concurrency,
              lockDuration: LOCK_MS,
              removeOnComplete: { count: 0 },
              removeOnFail: { count: 0 },
            },
            createPostgresBackend,
          ),
      }),
    check,
    close: () => within(CLOSE_TIMEOUT_MS, pool.end()),
  };
}

/** Removes at most `count` items from a set and answers them. */
function take<Item>(items: Set<Item>, count: number): Item[] {
  const taken: Item[] = [];
  for (const item of items) {
    if (taken.length === count) break;
    taken.push(item);
    items.delete(item);
  }
  return taken;
}

function chunks<Item>(items: Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, n) =>
    items.slice(n * size, (n + 1) * size),
  );
}

/** Right after the start a connection may still be on its way: that is not an outage yet. */
async function connected(client: RedisClient): Promise<void> {
  if (client.status === "ready") return;
  let onReady: () => void = () => {};
  const ready = new Promise<void>((resolve) => {
    onReady = resolve;
  });
  client.once("ready", onReady);
  await within(CONNECT_TIMEOUT_MS, ready);
  client.off("ready", onReady);
}

/** Waits for something that has no time limit of its own, but not longer than `timeoutMs`. */
async function within(timeoutMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([work.catch(() => {}), timeout]);
  clearTimeout(timer);
}
