import type { Environment } from "./environment.ts";

/** What `flood.ts` is told, as JSON. */
export interface FloodPlan {
  port: number;
  /** The webhook of a connector that exists. */
  path: string;
  perSecond: number;
  seconds: number;
}

export interface FloodResult {
  /** How many answers there were of each status; `none`: closed without one. */
  statuses: Record<string, number>;
  /** Given up, because too many connections were open. */
  unsent: number;
  perSecond: number;
}

/** Begins a flood of requests without a right secret; `result` once all were sent and answered. */
export async function flood(
  environment: Environment,
  plan: FloodPlan,
): Promise<{ result: Promise<FloodResult> }> {
  const script = await environment.script("flood", [JSON.stringify(plan)]);
  const result = script.output.then(
    (output) => JSON.parse(output.trim().split("\n").at(-1) ?? "{}") as FloodResult,
  );
  return { result };
}
