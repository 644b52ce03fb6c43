import { createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "../../test/support/database.ts";
import { startRedis } from "../../test/support/redis.ts";
import { backends, needs } from "../../test/support/requirements.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { connectRedis, type RedisClient } from "../jobs/index.ts";
import { type Database, openDatabase } from "./database.ts";
import { createFailureStore, failureCountRetention } from "./failure-count.ts";
import { createFailureLimit, type FailureBudgets } from "./failure-limit.ts";
import { silentLogger } from "./log.ts";
import { createMetrics } from "./metrics.ts";
import { parseRedisUrl } from "./redis-url.ts";

const NETWORK = "192.0.2.7";
const TARGET = "a-connector";

let database: TestDatabase;
const closers: Array<() => unknown> = [];
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await database.drop();
});

function open(url: string): RedisClient {
  const redis = connectRedis(parseRedisUrl(url), "producer");
  redis.on("error", () => {});
  closers.push(() => redis.disconnect());
  return redis;
}

interface ProcessOptions {
  entrance: string;
  budgets: FailureBudgets;
  db?: Database;
  redis?: RedisClient;
  waitMs?: number;
}

/** The limit as one process has it. */
function limitOf({ entrance, budgets, db = database.db, redis, waitMs }: ProcessOptions) {
  const metrics = createMetrics({ processMetrics: false });
  const store = createFailureStore({ db, redis, metrics, log: silentLogger, waitMs });
  const limit = createFailureLimit({ entrance, budgets, store, metrics, log: silentLogger });
  return { ...limit, metrics };
}

async function until429(fail: () => number | Promise<number>, most: number): Promise<number> {
  for (let n = 0; n < most; n++) if ((await fail()) > 0) return n;
  return most;
}

describe.each(backends)("failures on $name", ({ name, redisUrl }) => {
  let clients: [RedisClient, RedisClient] | undefined;
  beforeAll(async () => {
    if (redisUrl === undefined) return;
    clients = [open(redisUrl), open(redisUrl)];
    for (const client of clients) await waitFor(() => client.status === "ready");
  });
  const processes = (entrance: string, budgets: FailureBudgets) => [
    limitOf({ entrance: `${name}-${entrance}`, budgets, redis: clients?.[0] }),
    limitOf({ entrance: `${name}-${entrance}`, budgets, redis: clients?.[1] }),
  ];

  /** What the store holds of an entrance: keys and counts. */
  async function stored(entrance: string): Promise<Map<string, number>> {
    const prefix = `heliograph:failures:${name}-${entrance}:`;
    if (clients === undefined) {
      const rows = await database.db.query<{ key: string; points: number }>(
        "SELECT key, points FROM failure_counts WHERE starts_with(key, $1)",
        [prefix],
      );
      return new Map(rows.map(({ key, points }) => [key, points]));
    }
    const keys = await clients[0].keys(`${prefix}*`);
    const counts = await Promise.all(keys.map((key) => clients?.[0].get(key)));
    return new Map(keys.map((key, n) => [key, Number(counts[n])]));
  }

  test("two processes share a budget; who used it up is told when it begins anew", async () => {
    const [one, other] = processes("shared", { network: 10, all: 100 });
    const waits: Array<number | undefined> = [];
    for (let n = 0; n < 14; n++) {
      waits.push(await (n % 2 === 0 ? one : other)?.failed({ network: NETWORK }));
    }
    expect(waits.slice(0, 10)).toEqual(Array(10).fill(0));
    for (const wait of waits.slice(10)) {
      expect(wait).toBeGreaterThan(0);
      expect(wait).toBeLessThanOrEqual(60);
      expect(Number.isInteger(wait)).toBe(true);
    }
    expect(await other?.failed({ network: "192.0.2.8" })).toBe(0);
  });

  test("a target has a budget of its own, whatever networks its failures come from", async () => {
    const [one, other] = processes("target", { network: 100, target: 5, all: 1_000 });
    let n = 0;
    const fail = () =>
      (n++ % 2 === 0 ? one : other)?.failed({ network: `192.0.2.${n}`, target: TARGET }) ??
      Promise.resolve(0);
    expect(await until429(fail, 20)).toBe(5);
    expect(await one?.failed({ network: NETWORK, target: "another" })).toBe(0);
  });

  test("what is over the budget costs the store nothing more", async () => {
    const [one] = processes("flood", { network: 3, all: 100 });
    for (let n = 0; n < 50; n++) await one?.failed({ network: NETWORK });
    expect([...(await stored("flood")).values()].sort()).toEqual([3, 4]);
  });

  test("a flood from everywhere fills neither the store nor the memory", async () => {
    const [one] = processes("everywhere", { network: 10, target: 10, all: 20 });
    const waits: Array<number | undefined> = [];
    for (let n = 0; n < 500; n++)
      waits.push(await one?.failed({ network: `2001:db8:0:${n}::/64` }));
    expect(waits.filter((wait) => wait === 0)).toHaveLength(20);
    expect((await stored("everywhere")).size).toBe(22);
  });

  test("a burst in one moment is bounded, too", async () => {
    const [one] = processes("burst", { network: 10, all: 100 });
    const failing = Array.from({ length: 500 }, () => one?.failed({ network: NETWORK }));
    const waits = await Promise.all(failing);
    // What the store had no time for was counted here, within a budget of the same size.
    expect(waits.filter((wait) => wait === 0).length).toBeLessThanOrEqual(20);
  });

  test("neither an address nor a name stands in the store", async () => {
    const [one] = processes("named", { network: 10, target: 10, all: 20 });
    await one?.failed({ network: NETWORK, target: TARGET });
    const keys = [...(await stored("named")).keys()];
    expect(keys).toHaveLength(3);
    expect(keys.join()).not.toContain(NETWORK);
    expect(keys.join()).not.toContain(TARGET);
  });
});

/** Counts apart while the store does not answer; nobody waits for it but a moment. */
async function expectCountedApart(limit: ReturnType<typeof limitOf>): Promise<void> {
  expect(await until429(() => limit.failed({ network: NETWORK }), 50)).toBe(5);
  expect(await limit.failed({ network: "192.0.2.8" })).toBe(0);
  expect(await limit.metrics.text()).toMatch(/counted_apart_total [1-9]/);
}
const BUDGETS = { network: 5, all: 100 };

/** Takes connections and says nothing, ever. */
async function startSilence(): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

describe("a store that is away", () => {
  test("Postgres refuses connections", async () => {
    const db = openDatabase({ url: "postgres://u:p@127.0.0.1:1/d" });
    closers.push(() => db.close());
    await expectCountedApart(limitOf({ entrance: "away", budgets: BUDGETS, db }));
  });

  test("Postgres takes connections and does not answer", async () => {
    const db = openDatabase({ url: `postgres://u:p@127.0.0.1:${await startSilence()}/d` });
    closers.push(() => db.close());
    await expectCountedApart(limitOf({ entrance: "away", budgets: BUDGETS, db, waitMs: 20 }));
  });

  test("Redis takes connections and does not answer", async () => {
    const redis = open(`redis://127.0.0.1:${await startSilence()}`);
    await expectCountedApart(limitOf({ entrance: "away", budgets: BUDGETS, redis, waitMs: 20 }));
  });

  needs("redis-server")("of one's own", () => {
    test("Redis stops answering, and goes, and comes back empty", async () => {
      const server = await startRedis();
      closers.push(() => server.stop());
      const redis = open(server.url);
      await waitFor(() => redis.status === "ready");
      const budgets = { network: 5, all: 1_000 };
      const limit = limitOf({ entrance: "gone", budgets, redis, waitMs: 20 });
      expect(await limit.failed({ network: NETWORK })).toBe(0);
      // Its answers come late: after this, those that were asked for.
      await Promise.all([
        server.cli("DEBUG", "SLEEP", "1"),
        until429(() => limit.failed({ network: "192.0.2.1" }), 50).then((count) =>
          expect(count).toBeLessThanOrEqual(10),
        ),
      ]);
      await server.stop();
      expect(await until429(() => limit.failed({ network: "192.0.2.2" }), 50)).toBe(5);
      await server.restart();
      await waitFor(async () => {
        await limit.failed({ network: `192.0.2.${Date.now() % 1_000}` });
        return (await redis.keys("heliograph:failures:gone:*")).length > 0;
      });
    });
  });
});

test("counts whose window has ended are dropped, the others stay", async () => {
  const hourMs = 3_600_000;
  await database.db.query(
    `INSERT INTO failure_counts SELECT 'ended-' || n, 1, $1::bigint FROM generate_series(1, 30) n
     UNION ALL SELECT 'goes on', 1, $2::bigint`,
    [Date.now() - hourMs, Date.now() + hourMs],
  );
  const drop = () => database.db.transaction((tx) => failureCountRetention.dropBatch(tx, 20, null));
  expect(await drop()).toEqual({ rows: 20, place: "more" });
  expect(await drop()).toEqual({ rows: 10, place: null });
  const left = await database.db.query<{ key: string }>(
    "SELECT key FROM failure_counts WHERE key LIKE 'ended-%' OR key = 'goes on'",
  );
  expect(left).toEqual([{ key: "goes on" }]);
});
