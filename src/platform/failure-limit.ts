import type { Clock } from "./clock.ts";
import type { FailureStore } from "./failure-count.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { sha256 } from "./secrets.ts";

/**
 * How many failures to prove who one is are answered as such, in a minute, before their senders are
 * told to wait. Asked only once the proof has failed: whoever has the right secret never meets it,
 * wherever it comes from and whatever others send from there.
 */
export interface FailureLimit {
  /**
   * Counts one more failure. Answers after how many whole seconds another may be sent; 0 while that
   * is not said yet. Never throws, and takes a moment at most; what is used up is answered at once,
   * without a promise, since that is most of what a flood asks.
   */
  failed(of: Failure): number | Promise<number>;
}

export interface Failure {
  /** Where it came from (`clientNetwork`). */
  network: string;
  /** What was to be entered, where it exists: names that anybody can make up are not counted. */
  target?: string;
}

/** Failures a minute, in the whole installation. */
export interface FailureBudgets {
  /** Of one network. */
  network: number;
  /** Of one target. */
  target?: number;
  /** Of all together: bounds what the shared counts cost, however many networks take part. */
  all: number;
}

export interface FailureLimitOptions {
  /** For metrics and keys, e.g. `webhook`. */
  entrance: string;
  budgets: FailureBudgets;
  store: FailureStore;
  metrics: Metrics;
  log: Logger;
  /** Default: one that never goes back. */
  clock?: Clock;
}

const SAID_EVERY_MS = 60_000;
/** Each took a whole budget of failures to get in, so there are few; a bound all the same. */
const MAX_SPENT = 10_000;

export function createFailureLimit(options: FailureLimitOptions): FailureLimit {
  const { entrance, budgets, store, log, clock = () => performance.now() } = options;
  const limited = options.metrics.counter({
    name: "heliograph_failures_limited_total",
    help: "Failed proofs that were answered with a time to wait, by the budget that was used up.",
    labels: ["entrance", "budget"],
  });
  const counts = Object.fromEntries(
    Object.entries(budgets).map(([kind, most]) => [kind, store.count(`${entrance}:${kind}`, most)]),
  );
  /**
   * Until when each budget is used up. Known here, so that a flood costs the store nothing once it
   * is over: neither its senders' next failures, nor those of new senders when all is used up.
   */
  const spent = new Map<string, number>();
  let saidMs = Number.NEGATIVE_INFINITY;

  function remember(id: string, untilMs: number): void {
    if (spent.size >= MAX_SPENT) {
      const [oldest] = spent.keys();
      if (oldest !== undefined) spent.delete(oldest);
    }
    spent.delete(id);
    spent.set(id, untilMs);
  }

  function refuse(kind: string, waitMs: number, nowMs: number): number {
    limited.inc({ entrance, budget: kind });
    if (nowMs - saidMs >= SAID_EVERY_MS) {
      saidMs = nowMs;
      log.warn(
        { entrance, budget: kind },
        "too many failed proofs; their senders are told to wait",
      );
    }
    return Math.ceil(waitMs / 1_000);
  }

  async function count(counted: Counted): Promise<number> {
    for (const [kind, value] of counted) {
      const waitMs = (await counts[kind]?.add(keyOf(value))) ?? 0;
      if (waitMs === 0) continue;
      const nowMs = clock();
      remember(`${kind} ${value}`, nowMs + waitMs);
      return refuse(kind, waitMs, nowMs);
    }
    return 0;
  }

  return {
    failed: ({ network, target }) => {
      // The narrowest first: one sender alone does not use up what others have.
      const counted: Counted = [["network", network]];
      if (target !== undefined) counted.push(["target", target]);
      counted.push(["all", ""]);
      const nowMs = clock();
      for (const [kind, value] of counted) {
        const waitMs = (spent.get(`${kind} ${value}`) ?? 0) - nowMs;
        if (waitMs > 0) return refuse(kind, waitMs, nowMs);
      }
      return count(counted);
    },
  };
}

type Counted = [kind: string, value: string][];

/** Neither an address nor a connector stands in the store in the clear. */
const keyOf = (value: string) => sha256(value).toString("base64url").slice(0, 22);
