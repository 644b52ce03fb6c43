import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { openDatabase } from "../src/platform/index.ts";
import type { Installation } from "./installation.ts";
import type { Random } from "./random.ts";

/** A fault of some kind: resolves when it is over. */
export interface Fault {
  name: string;
  strike(): Promise<void>;
}

/** Faults at once: the names of those that struck, and of those that could not. */
export async function strikeAll(faults: Fault[]): Promise<{
  struck: string[];
  failed: { fault: string; failed: string }[];
}> {
  const ends = await Promise.allSettled(faults.map((fault) => fault.strike()));
  const struck: string[] = [];
  const failed: { fault: string; failed: string }[] = [];
  for (const [n, { name }] of faults.entries()) {
    const end = ends[n];
    if (end?.status === "rejected") failed.push({ fault: name, failed: String(end.reason) });
    else struck.push(name);
  }
  return { struck, failed };
}

/** What Telegram may do to a call, by name. */
const CALL_ANSWERS = [
  { status: 502, description: "Bad Gateway" },
  "5xx-after-effect",
  "html",
  "html-after-effect",
  "reset-before-effect",
  "reset-after-effect",
  "hang",
  "hang-after-effect",
  { retryAfterS: 2, hold: "chat" },
  { retryAfterS: 2, hold: "bot" },
] as const;
/** What it may do to whoever fetches a file: where it is, or its bytes. */
const FILE_ANSWERS = [
  { method: "getFile", answer: { status: 502, description: "Bad Gateway" } },
  { method: "getFile", answer: "html" },
  { method: "getFile", answer: "hang" },
  { method: "getFile", answer: "reset-after-effect" },
  { method: "file", answer: { status: 502, description: "Bad Gateway" } },
  { method: "file", answer: "html" },
  { method: "file", answer: "hang" },
  { method: "file", answer: "reset-before-effect" },
  // Half of it.
  { method: "file", answer: "reset-after-effect" },
  { method: "file", answer: { bytesPerSecond: 50_000 } },
] as const;
const DELIVERY_ANSWERS = ["reset-before-effect", "reset-after-effect", "duplicate"] as const;

/** The next fault of a run, chosen by `random`. */
export function chooseFault(installation: Installation, random: Random): Fault {
  const { processes, postgres, redis, telegram } = installation;
  const seconds = (min: number, max: number) => Math.round(random.between(min, max) * 1_000);
  const kinds: Array<() => Fault> = [
    () => {
      const victim = random.pick(processes);
      return { name: `kill ${victim.name}`, strike: async () => victim.kill() };
    },
    () => {
      const victim = random.pick(processes);
      const forMs = seconds(2, 12);
      return {
        name: `stop ${victim.name} for ${forMs} ms`,
        strike: async () => {
          victim.stop();
          await sleep(forMs);
          victim.resume();
        },
      };
    },
    () => {
      const mode = random.pick(["fast", "immediate"] as const);
      return { name: `postgres restarts, ${mode}`, strike: () => postgres.restart(mode) };
    },
    () => ({ name: "postgres crashes", strike: () => postgres.crash() }),
    () => ({ name: "postgres connections cut", strike: () => cutConnections(postgres.url) }),
    () => {
      const forMs = seconds(5, 12);
      return { name: `slow disk for ${forMs} ms`, strike: () => slowCommits(postgres.url, forMs) };
    },
    () => {
      const answer = random.pick(CALL_ANSWERS);
      const forMs = seconds(4, 12);
      const hangs = typeof answer === "string" && answer.startsWith("hang");
      const fault = {
        on: "calls",
        method: "sendMessage",
        seed: Math.floor(random.next() * 1e9),
        answer,
        forMs,
        ...(hangs ? { probability: 0.05 } : { probability: 0.4 }),
      };
      return {
        name: `telegram answers ${JSON.stringify(answer)} for ${forMs} ms`,
        strike: async () => {
          await telegram.fault(fault);
          await sleep(forMs);
        },
      };
    },
    () => {
      const latencyMs = seconds(0.3, 3);
      const forMs = seconds(4, 10);
      return {
        name: `telegram takes ${latencyMs} ms for ${forMs} ms`,
        strike: async () => {
          await telegram.fault({
            on: "calls",
            method: "sendMessage",
            answerLatencyMs: latencyMs,
            forMs,
          });
          await sleep(forMs);
        },
      };
    },
    () => {
      const { method, answer } = random.pick(FILE_ANSWERS);
      const forMs = seconds(4, 12);
      const seed = Math.floor(random.next() * 1e9);
      const probability = answer === "hang" ? 0.1 : 0.4;
      return {
        name: `${method} answers ${JSON.stringify(answer)} for ${forMs} ms`,
        strike: async () => {
          await telegram.fault({ on: "calls", method, answer, probability, seed, forMs });
          await sleep(forMs);
        },
      };
    },
    () => {
      const answer = random.pick(DELIVERY_ANSWERS);
      const forMs = seconds(4, 12);
      const seed = Math.floor(random.next() * 1e9);
      return {
        name: `deliveries: ${answer} for ${forMs} ms`,
        strike: async () => {
          await telegram.fault({ on: "deliveries", answer, probability: 0.4, seed, forMs });
          await sleep(forMs);
        },
      };
    },
    () => {
      const forMs = seconds(5, 20);
      return {
        name: `telegram is out of reach for ${forMs} ms, then the backlog at once`,
        strike: async () => {
          await telegram.outage(forMs);
          await sleep(forMs);
        },
      };
    },
  ];
  if (redis !== undefined) {
    kinds.push(
      () => ({ name: "FLUSHALL", strike: () => flushAll(redis.url) }),
      () => {
        const forMs = seconds(3, 20);
        return {
          name: `redis gone for ${forMs} ms`,
          strike: async () => {
            await redis.stop();
            await sleep(forMs);
            redis.start();
          },
        };
      },
    );
  }
  return random.pick(kinds)();
}

async function cutConnections(url: string): Promise<void> {
  const db = openDatabase({ url, max: 1, as: "login" });
  try {
    for (let time = 1; time <= 3; time++) {
      await db.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'`,
      );
      await sleep(300);
    }
  } finally {
    await db.close();
  }
}

const RESET_WITHIN_MS = 60_000;
const RESET_PAUSE_MS = 300;

/**
 * Each commit waits a tenth of a second more before it is written to the disk. Another fault may cut
 * this one's connection, or Postgres be down: what was set is taken back all the same.
 */
export async function slowCommits(url: string, forMs: number): Promise<void> {
  const db = openDatabase({ url, max: 1, as: "login" });
  const set = async (delay: number) => {
    await db.query(`ALTER SYSTEM SET commit_delay = ${delay}`);
    await db.query("ALTER SYSTEM SET commit_siblings = 0");
    await db.query("SELECT pg_reload_conf()");
  };
  const takeBack = async () => {
    const deadline = performance.now() + RESET_WITHIN_MS;
    for (;;) {
      try {
        return await set(0);
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await sleep(RESET_PAUSE_MS);
      }
    }
  };
  try {
    await set(100_000);
    await sleep(forMs);
  } finally {
    await takeBack().finally(() => db.close());
  }
}

async function flushAll(url: string): Promise<void> {
  const redis = new Redis(url, { maxRetriesPerRequest: 1, lazyConnect: true });
  redis.on("error", () => {});
  await redis.connect();
  await redis.flushall();
  redis.disconnect();
}
