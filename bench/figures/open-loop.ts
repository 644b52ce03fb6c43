import { openEnvironment } from "../environment.ts";
import type { Figure } from "../figure.ts";
import { NOWHERE, targetsOf } from "../load-run.ts";
import { round } from "../numbers.ts";
import { type OpenLoopPlan, openLoop, rowLatency } from "../open-loop-run.ts";
import { until } from "../until.ts";

const PER_SECOND = 1_000;
const MINUTES = 5;

/** A thousand updates a second for five minutes, whether or not the system keeps up. */
export async function openLoopLatency(): Promise<Figure> {
  const environment = await openEnvironment(NOWHERE);
  const { db } = environment;
  try {
    const bots = await environment.addBots(10);
    await environment.start("web");
    await environment.start("ingest");
    const plan = (seconds: number, firstUpdateId: number): OpenLoopPlan => ({
      ...targetsOf(environment, bots),
      perSecond: PER_SECOND,
      seconds,
      chats: 2_000,
      firstChatId: 10_000_000,
      firstUpdateId,
    });
    // Nobody sends here: what is to be answered waits.
    const allDone = async () => {
      const rows = await db.query(
        `SELECT FROM jobs WHERE queue = 'ingest' AND state IN ('available', 'running', 'retryable')
         LIMIT 1`,
      );
      return rows.length === 0;
    };
    const warmUp = await openLoop(environment, plan(10, 1));
    await warmUp.result;
    await until(allDone);
    const measured = plan(MINUTES * 60, 10_000_000);
    const loop = await openLoop(environment, measured);
    const accepted = await loop.result;
    await until(allDone);
    const ids = bots.map((bot) => bot.connectorId);
    const rows = await rowLatency(db, loop, measured, ids);
    const total = PER_SECOND * MINUTES * 60;
    return {
      figure: "1,000 updates/s for five minutes, open loop: accepted",
      value: round(accepted.p99),
      unit: "ms, p99",
      acceptP50: round(accepted.p50),
      acceptMax: round(accepted.max),
      rowP50: round(rows.p50),
      rowP99: round(rows.p99),
      rowMax: round(rows.max),
      accepted: accepted.accepted,
      rows: rows.rows,
      of: total,
      baseline: null,
      backend: environment.redisUrl === undefined ? "postgres" : "redis",
      target: "accept p99 < 25 ms, row p99 < 100 ms",
      reached: accepted.p99 < 25 && rows.p99 < 100 && rows.rows === total,
    };
  } finally {
    await environment.close();
  }
}
