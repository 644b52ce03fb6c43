import type { BenchBot, Environment } from "./environment.ts";

/** Where the load goes: a webhook, ours or a baseline's. */
export interface Target {
  path: string;
  secret: string;
}

/** What `load.ts` is told, as JSON. */
export interface LoadPlan {
  port: number;
  targets: Target[];
  /** The targets take turns and share what else is named here; else each has as much. */
  inTurn: boolean;
  /** Keep-alive connections for each target, one request in flight on each. */
  connections: number;
  /** Chats of each target, whose messages come in turn. */
  chats: number;
  firstUpdateId: number;
  firstMessageId: number;
  /** Updates for each target, or how long. */
  count?: number;
  seconds?: number;
}

export interface LoadResult {
  accepted: number;
  refused: number;
  seconds: number;
}

/** A Bot API address where nobody listens: for figures that send nothing. */
export const NOWHERE = "http://127.0.0.1:1";

/** Puts load on webhooks from a process of its own, as fast as they answer. */
export async function load(
  environment: Environment,
  plan: { port: number; targets: Target[] } & Partial<LoadPlan>,
): Promise<LoadResult> {
  const whole: LoadPlan = {
    inTurn: false,
    connections: 64,
    chats: 1_000,
    firstUpdateId: 1,
    firstMessageId: 1,
    ...plan,
  };
  const script = await environment.script("load", [JSON.stringify(whole)]);
  return JSON.parse((await script.output).trim().split("\n").at(-1) ?? "{}") as LoadResult;
}

export const rate = ({ accepted, seconds }: LoadResult) => accepted / seconds;

export const targetsOf = (environment: Environment, bots: BenchBot[]) => ({
  port: environment.port,
  targets: bots.map((bot) => ({ path: bot.webhookPath, secret: bot.secret })),
});
