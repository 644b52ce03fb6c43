import { openEnvironment } from "../environment.ts";
import type { Figure } from "../figure.ts";
import { load, NOWHERE, targetsOf } from "../load-run.ts";
import { round } from "../numbers.ts";

/** From the webhook POST to the message's row, over HTTP. */
export async function endToEnd(): Promise<Figure> {
  const environment = await openEnvironment(NOWHERE);
  const { db } = environment;
  try {
    const bots = await environment.addBots(1);
    await environment.start("web");
    await environment.start("ingest");
    const targets = targetsOf(environment, bots);
    const until = async (sql: string, count: number, startedMs: number) => {
      for (;;) {
        const [row] = await db.query<{ count: number }>(sql);
        if ((row?.count ?? 0) >= count) return (performance.now() - startedMs) / 1_000;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const ownRows = `SELECT count(*)::int AS count FROM messages WHERE direction = 'in'`;
    const warm = 5_000;
    await load(environment, { ...targets, count: warm });
    await until(ownRows, warm, performance.now());
    const count = 30_000;
    let startedMs = performance.now();
    await load(environment, { ...targets, count, firstUpdateId: 10_000_000 });
    // The same bodies under new update ids are the same messages: only new rows are counted.
    const seconds = await until(
      `SELECT count(*)::int AS count FROM jobs WHERE state = 'completed'`,
      warm + count,
      startedMs,
    );
    let naive: number | null = null;
    if (environment.redisUrl !== undefined) {
      const script = await environment.script("naive", []);
      const naiveTargets = {
        port: Number(script.firstLine),
        targets: [{ path: "/webhook", secret: "x" }],
      };
      const naiveCount = 10_000;
      startedMs = performance.now();
      await load(environment, { ...naiveTargets, count: naiveCount });
      const rows = "SELECT count(*)::int AS count FROM naive.jobs WHERE state = 'completed'";
      naive = naiveCount / (await until(rows, naiveCount, startedMs));
    }
    const value = count / seconds;
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
