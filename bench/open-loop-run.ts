import type { Database } from "../src/platform/index.ts";
import type { Environment } from "./environment.ts";
import type { Target } from "./load-run.ts";

/** What `open-loop.ts` is told, as JSON. */
export interface OpenLoopPlan {
  port: number;
  /** Updates go to them in turn. */
  targets: Target[];
  perSecond: number;
  seconds: number;
  chats: number;
  firstChatId: number;
  firstUpdateId: number;
  /** Commands that deserve an answer, instead of plain messages. */
  commands?: boolean;
}

export interface OpenLoopResult {
  accepted: number;
  refused: number;
  /** From an update's time to its 200, in ms. */
  p50: number;
  p99: number;
  max: number;
}

export interface OpenLoop {
  /** When its first update was due, in ms since the epoch; the n-th is due n / perSecond later. */
  startMs: number;
  result: Promise<OpenLoopResult>;
}

/** Begins to send updates at a fixed rate from a process of its own. */
export async function openLoop(environment: Environment, plan: OpenLoopPlan): Promise<OpenLoop> {
  const script = await environment.script("open-loop", [JSON.stringify(plan)]);
  return {
    startMs: Number(script.firstLine),
    result: script.output.then((output) => JSON.parse(output.trim().split("\n").at(-1) ?? "{}")),
  };
}

/** From an update's time to the last statement of the commit that made its rows, in ms. */
export interface RowLatency {
  rows: number;
  p50: number;
  p99: number;
  max: number;
}

/** Of the updates of an open loop that were due before `untilMs`. */
export async function rowLatency(
  db: Database,
  { startMs }: OpenLoop,
  plan: OpenLoopPlan,
  connectorIds: string[],
  untilMs = Number.MAX_SAFE_INTEGER,
): Promise<RowLatency> {
  const [row] = await db.query<{ rows: number; at: number[] | null }>(
    `SELECT count(*)::int AS rows,
       percentile_disc(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (ORDER BY took) AS at
     FROM (
       SELECT extract(epoch FROM finished_at)::double precision * 1000 - due_ms AS took
       FROM (
         SELECT finished_at,
           $2::double precision + ((payload->>'updateId')::bigint - $3) * $4::double precision AS due_ms
         FROM jobs WHERE payload->>'connectorId' = ANY ($1) AND state = 'completed'
           AND (payload->>'updateId')::bigint BETWEEN $3 AND $5
       ) finished WHERE due_ms < $6
     ) latencies`,
    [
      connectorIds,
      startMs,
      plan.firstUpdateId,
      1_000 / plan.perSecond,
      plan.firstUpdateId + plan.perSecond * plan.seconds,
      untilMs,
    ],
  );
  const [p50 = Number.NaN, p99 = Number.NaN, max = Number.NaN] = row?.at ?? [];
  return { rows: row?.rows ?? 0, p50, p99, max };
}
