import { openEnvironment } from "../environment.ts";
import type { Figure } from "../figure.ts";
import { type FloodResult, flood } from "../flood-run.ts";
import { NOWHERE, targetsOf } from "../load-run.ts";
import { median, round } from "../numbers.ts";
import { type OpenLoopPlan, type OpenLoopResult, openLoop } from "../open-loop-run.ts";

const HONEST_PER_SECOND = 500;
const WRONG_PER_SECOND = 2_000;
const SECONDS = 10;
const ROUNDS = 3;

/** Honest updates at a fixed rate, with and without a flood of wrong secrets from the same address. */
export async function wrongSecrets(): Promise<Figure> {
  const environment = await openEnvironment(NOWHERE);
  try {
    const bots = await environment.addBots(10);
    await environment.start("web");
    await environment.start("ingest");
    const targets = targetsOf(environment, bots);
    let firstUpdateId = 1;
    const honest = async (seconds: number): Promise<OpenLoopResult> => {
      const plan: OpenLoopPlan = {
        ...targets,
        perSecond: HONEST_PER_SECOND,
        seconds,
        chats: 2_000,
        firstChatId: 10_000_000,
        firstUpdateId,
      };
      firstUpdateId += 1_000_000;
      return (await openLoop(environment, plan)).result;
    };
    const beside = async (seconds: number) => {
      const wrong = await flood(environment, {
        port: environment.port,
        path: bots[0]?.webhookPath ?? "",
        perSecond: WRONG_PER_SECOND,
        // It is there from before the first honest update until after the last.
        seconds: seconds + 2,
      });
      const [updates, refused] = [await honest(seconds), await wrong.result];
      return { updates, refused };
    };
    await honest(10);
    await beside(5);
    const quiet: OpenLoopResult[] = [];
    const flooded: OpenLoopResult[] = [];
    const floods: FloodResult[] = [];
    for (let n = 0; n < ROUNDS; n++) {
      quiet.push(await honest(SECONDS));
      const { updates, refused } = await beside(SECONDS);
      flooded.push(updates);
      floods.push(refused);
    }
    const value = median(flooded.map(({ p99 }) => p99));
    const baseline = median(quiet.map(({ p99 }) => p99));
    const accepted = [...quiet, ...flooded].map((updates) => updates.accepted);
    const of = HONEST_PER_SECOND * SECONDS;
    return {
      figure: "500 updates/s accepted beside 2,000/s of wrong secrets",
      value: round(value),
      unit: "ms, p99",
      p50: round(median(flooded.map(({ p50 }) => p50))),
      rounds: flooded.map(({ p99 }) => round(p99)),
      baseline: { name: "the same without them, p99", value: round(baseline) },
      baselineP50: round(median(quiet.map(({ p50 }) => p50))),
      baselineRounds: quiet.map(({ p99 }) => round(p99)),
      ratio: round((value / baseline) * 100) / 100,
      accepted,
      of,
      floods,
      backend: environment.redisUrl === undefined ? "postgres" : "redis",
      target: "not doubled, all accepted",
      reached: value < 2 * baseline && accepted.every((count) => count === of),
    };
  } finally {
    await environment.close();
  }
}
