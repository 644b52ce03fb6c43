import type { Environment, Script } from "./environment.ts";

/** What `naive-sender.ts` is told, as JSON. */
export interface NaiveSenderPlan {
  apiRoot: string;
  token: string;
  queue: string;
  chatIds: string[];
  perChat: number;
  /** The limiter of its queue. */
  perSecond: number;
  /** It ends after this time, sent or not. */
  seconds: number;
  /** A message of the first priority to each of these, one every two seconds. */
  alertChatIds?: string[];
}

export const NAIVE = "a BullMQ job a message, limiter 30/s, exponential backoff";

/** Starts the baseline; null without Redis, which its limiter and priorities need. */
export function startNaiveSender(
  environment: Environment,
  plan: NaiveSenderPlan,
): Promise<Script> | null {
  if (environment.redisUrl === undefined) return null;
  return environment.script("naive-sender", [JSON.stringify(plan)]);
}
