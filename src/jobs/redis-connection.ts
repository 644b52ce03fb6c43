import { Cluster, Redis, type RedisOptions } from "ioredis";

/** Where Redis is, as `REDIS_URL` says it in one of its forms. */
export type RedisSettings =
  | { kind: "single"; url: string }
  | {
      kind: "sentinel";
      sentinels: { host: string; port: number }[];
      name: string;
      password?: string;
      db?: number;
    }
  | { kind: "cluster"; nodes: { host: string; port: number }[]; password?: string };

export type RedisClient = Redis | Cluster;

/** Slow enough not to storm a Redis that comes back, fast enough to be there within a second. */
const reconnectDelayMs = (times: number) => Math.min(50 * 2 ** Math.min(times, 5), 1_000);

/**
 * Opens a connection. A producer fails fast (nobody waits for a wake); a consumer waits for ever,
 * as BullMQ requires of its workers.
 */
export function connectRedis(settings: RedisSettings, role: "producer" | "consumer"): RedisClient {
  const options: RedisOptions =
    role === "producer"
      ? {
          maxRetriesPerRequest: 1,
          enableOfflineQueue: false,
          commandTimeout: 5_000,
          connectTimeout: 5_000,
          retryStrategy: reconnectDelayMs,
        }
      : { maxRetriesPerRequest: null, connectTimeout: 5_000, retryStrategy: reconnectDelayMs };
  switch (settings.kind) {
    case "single":
      return new Redis(settings.url, options);
    case "sentinel":
      return new Redis({
        ...options,
        sentinels: settings.sentinels,
        name: settings.name,
        password: settings.password,
        sentinelPassword: settings.password,
        db: settings.db,
      });
    case "cluster":
      return new Cluster(settings.nodes, {
        enableOfflineQueue: options.enableOfflineQueue,
        clusterRetryStrategy: reconnectDelayMs,
        redisOptions: { ...options, password: settings.password },
      });
  }
}

/** Redis must never evict: an evicted wake costs only time, an evicted BullMQ key its queue. */
export async function assertNoEviction(client: RedisClient): Promise<void> {
  const reply = (await client.call("CONFIG", "GET", "maxmemory-policy").catch(() => null)) as
    | string[]
    | null;
  // Managed Redis often forbids CONFIG: what cannot be read cannot be refused.
  const policy = reply?.[1];
  if (policy !== undefined && policy !== "noeviction") {
    throw new Error(
      `REDIS_URL: Redis has maxmemory-policy ${policy}, which may drop queue data; set it to noeviction`,
    );
  }
}
