import { appendFileSync, mkdirSync } from "node:fs";
import path from "node:path";
import { describe, expect } from "@jest/globals";
import { findChromium, findRedisServer } from "./executable.ts";
import {
  fromSetup,
  RUN_FOLDER,
  RUN_REDIS,
  RUN_REDIS_DATABASES,
  SKIPS_FILE,
} from "./run-environment.ts";

/**
 * What tests may need and a machine may lack. A test file asks here; what is missing is skipped,
 * and the skip is written down with its reason, so that the last lines of a run can name it.
 */

/** The two ways of carrying wakes; without `redisUrl` it is BullMQ on Postgres. */
export type Backend =
  | { name: "redis"; redisUrl: string }
  | { name: "postgres"; redisUrl: undefined };

const REASONS = {
  redis: "no Redis: neither REDIS_URL nor redis-server on PATH",
  "redis-server": "no redis-server on PATH",
  chromium: "no chromium on PATH",
};
export type Requirement = keyof typeof REASONS;

/**
 * Every backend this machine can test, for `describe.each(backends)("… on $name", …)`. Where
 * the Redis was started for this run, each test file has a database (number) of its own in it.
 */
export const backends: Backend[] = [
  ...(has("redis") ? [{ name: "redis" as const, redisUrl: redisUrlOfThisFile() }] : []),
  { name: "postgres", redisUrl: undefined },
];
if (!has("redis")) recordSkip("redis");

/** `describe` where the machine has it, else a `describe.skip` whose reason is written down. */
export function needs(requirement: Requirement): typeof describe | typeof describe.skip {
  if (has(requirement)) return describe;
  recordSkip(requirement);
  return describe.skip;
}

function has(requirement: Requirement): boolean {
  switch (requirement) {
    case "redis":
      return process.env[RUN_REDIS] !== undefined;
    case "redis-server":
      return findRedisServer() !== undefined;
    case "chromium":
      return findChromium() !== undefined;
  }
}

function recordSkip(requirement: Requirement): void {
  const file = path.relative(process.cwd(), expect.getState().testPath ?? "a test file");
  const line = JSON.stringify({ file, reason: REASONS[requirement] });
  appendFileSync(fromSetup(SKIPS_FILE), `${line}\n`);
}

/** Numbers are taken by making a folder: the one thing that only one process can succeed at. */
function redisUrlOfThisFile(): string {
  const url = fromSetup(RUN_REDIS);
  const databases = Number(process.env[RUN_REDIS_DATABASES] ?? 0);
  for (let number = 1; number < databases; number++) {
    try {
      mkdirSync(path.join(fromSetup(RUN_FOLDER), `redis-database-${number}`));
      return `${url}/${number}`;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  return url;
}
