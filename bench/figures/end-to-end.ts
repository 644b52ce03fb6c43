import { openEnvironment } from "../environment.ts";
import type { Figure } from "../figure.ts";
import { load, NOWHERE, targetsOf } from "../load-run.ts";
import { round } from "../numbers.ts";
import { until } from "../until.ts";
import { webhookToRow } from "../webhook-to-row.ts";

/** From the webhook POST to the message's row, over HTTP. */
export async function endToEnd(): Promise<Figure> {
  const environment = await openEnvironment(NOWHERE);
  const { db } = environment;
  try {
    const bots = await environment.addBots(1);
    await environment.start("web");
    await environment.start("ingest");
    const targets = targetsOf(environment, bots);
    const warm = 5_000;
    await webhookToRow(environment, { ...targets, count: warm });
    const value = await webhookToRow(environment, {
      ...targets,
      count: 30_000,
      firstUpdateId: 10_000_000,
      // The same bodies under new update ids would be the same messages.
      firstMessageId: warm + 1,
    });
    let naive: number | null = null;
    if (environment.redisUrl !== undefined) {
      const script = await environment.script("naive", []);
      const naiveTargets = {
        port: Number(script.firstLine),
        targets: [{ path: "/webhook", secret: "x" }],
      };
      const naiveCount = 10_000;
      const startedMs = performance.now();
      await load(environment, { ...naiveTargets, count: naiveCount });
      await until(async () => {
        const [row] = await db.query<{ count: number }>(
          "SELECT count(*)::int AS count FROM naive.jobs WHERE state = 'completed'",
        );
        return row?.count === naiveCount;
      });
      naive = naiveCount / ((performance.now() - startedMs) / 1_000);
    }
    return {
      figure: "webhook POST to message row, over HTTP",
      value: round(value),
      unit: "updates/s",
      baseline: naive === null ? null : { name: "naive pipeline", value: round(naive) },
      ratio: naive === null ? null : round(value / naive),
      backend: environment.redisUrl === undefined ? "postgres" : "redis",
      target: "at least 3,000/s and 3 times the baseline",
      reached: value >= 3_000 && naive !== null && value >= 3 * naive,
    };
  } finally {
    await environment.close();
  }
}
