import { openEnvironment } from "../environment.ts";
import type { Figure } from "../figure.ts";
import { load, NOWHERE, targetsOf } from "../load-run.ts";
import { round } from "../numbers.ts";
import { type OpenLoopPlan, openLoop, rowLatency } from "../open-loop-run.ts";
import { until } from "../until.ts";

const FLOOD = 20_000;
const ROUNDS = 3;

/** One workspace has 20,000 lanes waiting in front; another's updates come at 50 a second. */
export async function fairness(): Promise<Figure> {
  const environment = await openEnvironment(NOWHERE);
  const { db } = environment;
  try {
    const flooding = await environment.addBots(1);
    const quiet = await environment.addBots(1, "new");
    await environment.start("web");
    const worker = await environment.start("ingest");
    const quietIds = quiet.map((bot) => bot.connectorId);
    const floodLeft = async () => {
      const [row] = await db.query<{ left: number }>(
        `SELECT count(*)::int AS left FROM jobs WHERE queue = 'ingest' AND workspace_id = $1
           AND state IN ('available', 'running', 'retryable')`,
        [flooding[0]?.workspaceId],
      );
      return row?.left ?? 0;
    };
    let nextUpdateId = 1;
    const trickle = async (seconds: number) => {
      const plan: OpenLoopPlan = {
        ...targetsOf(environment, quiet),
        perSecond: 50,
        seconds,
        chats: 200,
        firstChatId: 30_000_000,
        firstUpdateId: nextUpdateId,
      };
      nextUpdateId += 1_000_000;
      return { plan, loop: await openLoop(environment, plan) };
    };
    const flood = { ...targetsOf(environment, flooding), chats: FLOOD };
    await load(environment, { ...flood, count: 5_000 });
    await until(async () => (await floodLeft()) === 0);

    const alone = await trickle(8);
    await alone.loop.result;
    const baseline = await rowLatency(db, alone.loop, alone.plan, quietIds);

    const beside: Awaited<ReturnType<typeof rowLatency>>[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      worker.kill("SIGSTOP");
      await load(environment, { ...flood, count: FLOOD, firstUpdateId: round * 10_000_000 });
      const waiting = await floodLeft();
      if (waiting !== FLOOD) throw new Error(`${waiting} lanes wait instead of ${FLOOD}`);
      const { plan, loop } = await trickle(6);
      await until(async () => Date.now() >= loop.startMs);
      worker.kill("SIGCONT");
      await until(async () => (await floodLeft()) < FLOOD / 50);
      const floodedUntilMs = Date.now();
      await loop.result;
      await until(async () => (await floodLeft()) === 0);
      beside.push(await rowLatency(db, loop, plan, quietIds, floodedUntilMs));
    }
    const worst = (pick: (row: (typeof beside)[number]) => number) => Math.max(...beside.map(pick));
    return {
      figure: "another workspace's update to its row, 20,000 lanes of one workspace in front",
      value: round(worst((row) => row.p99)),
      unit: "ms, p99, the worst of three rounds",
      p50: round(worst((row) => row.p50)),
      max: round(worst((row) => row.max)),
      updates: beside.map((row) => row.rows),
      baseline: { name: "the same with nothing in front, p99", value: round(baseline.p99) },
      backend: environment.redisUrl === undefined ? "postgres" : "redis",
      target: "p99 < 100 ms",
      reached: worst((row) => row.p99) < 100,
    };
  } finally {
    await environment.close();
  }
}
