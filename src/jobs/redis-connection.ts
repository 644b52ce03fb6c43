import { Cluster, Redis, type RedisOptions } from "ioredis";
import type { RedisConfig } from "../platform/index.ts";

export type RedisClient = Redis | Cluster;

/** Slow enough not to storm a Redis that comes back, fast enough to be there within a second. */
const reconnectDelayMs = (times: number) => Math.min(50 * 2 ** Math.min(times, 5), 1_000);

/**
 * Opens a connection. A producer fails fast (nobody waits for a wake); a consumer waits for ever,
 * as BullMQ requires of its workers.
 */
export function connectRedis(settings: RedisConfig, role: "producer" | "consumer"): RedisClient {
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
  const { username, password } = settings;
  const login = { username, password, ...(settings.tls ? { tls: {} } : {}) };
  switch (settings.kind) {
    case "single":
      return new Redis({
        ...options,
        ...login,
        host: settings.host,
        port: settings.port,
        db: settings.db,
      });
    case "sentinel":
      return new Redis({
        ...options,
        ...login,
        sentinels: settings.sentinels,
        sentinelPassword: settings.sentinelPassword,
        name: settings.masterName,
        db: settings.db,
      });
    case "cluster":
      return new Cluster(settings.nodes, {
        enableOfflineQueue: options.enableOfflineQueue,
        clusterRetryStrategy: reconnectDelayMs,
        redisOptions: { ...options, ...login },
      });
  }
}

/** This Redis may drop queue data: a setting to be mended, not an outage to be waited out. */
export class UnsafeRedis extends Error {
  override name = "UnsafeRedis";
}

/** Redis must never evict: an evicted wake costs only time, an evicted BullMQ key its queue. */
export async function assertNoEviction(client: RedisClient): Promise<void> {
  const reply = (await client.call("CONFIG", "GET", "maxmemory-policy").catch(() => null)) as
    | string[]
    | null;
  // Managed Redis often forbids CONFIG: what cannot be read cannot be refused.
  const policy = reply?.[1];
  if (policy !== undefined && policy !== "noeviction") {
    throw new UnsafeRedis(
      `REDIS_URL: Redis has maxmemory-policy ${policy}, which may drop queue data; set it to noeviction`,
    );
  }
}
