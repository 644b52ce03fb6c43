import { connectRedis } from "../src/jobs/index.ts";
import {
  createFailureLimit,
  createFailureStore,
  type FailureLimit,
} from "../src/platform/index.ts";
import type { System } from "./system.ts";

/**
 * What may fail in a minute, at each way in. Secrets and keys are long and random, so that guessing
 * is hopeless at any pace: this is about what the guesses cost, and about telling their senders.
 */
const BUDGETS = {
  webhook: { network: 60, target: 120, all: 1_200 },
  api: { network: 300, all: 3_000 },
  // A person types it.
  console: { network: 10, all: 600 },
};

export type FailureLimits = Record<keyof typeof BUDGETS, FailureLimit> & { close(): void };

/** The limits of a web process, shared with the others over Redis, or Postgres without it. */
export function openFailureLimits({ config, db, metrics, log }: System): FailureLimits {
  const redis = config.redis === undefined ? undefined : connectRedis(config.redis, "producer");
  // It connects again by itself; the store tells of what it could not count meanwhile.
  redis?.on("error", () => {});
  const store = createFailureStore({ db, redis, metrics, log });
  const limit = (entrance: keyof typeof BUDGETS) =>
    createFailureLimit({ entrance, budgets: BUDGETS[entrance], store, metrics, log });
  return {
    webhook: limit("webhook"),
    api: limit("api"),
    console: limit("console"),
    close: () => redis?.disconnect(),
  };
}
