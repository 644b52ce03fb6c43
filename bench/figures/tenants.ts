import { type BenchBot, openEnvironment } from "../environment.ts";
import type { Figure } from "../figure.ts";
import { NOWHERE, targetsOf } from "../load-run.ts";
import { median, round } from "../numbers.ts";
import { settled, webhookToRow } from "../webhook-to-row.ts";

const WORKSPACES = 50;
const CONNECTORS = 500;
const ROUNDS = 3;
const COUNT = 10_000;

/**
 * From the webhook POST to the message's row, with updates for one connector and with as many for 500
 * in 50 workspaces: over the same connections, for as many chats, and in turn.
 */
export async function tenants(): Promise<Figure> {
  const environment = await openEnvironment(NOWHERE);
  try {
    const alone = await environment.addBots(1);
    const all: BenchBot[] = [];
    for (let n = 0; n < WORKSPACES; n++) {
      all.push(...(await environment.addBots(CONNECTORS / WORKSPACES, "new")));
    }
    await environment.start("web");
    await environment.start("ingest");
    let first = 1;
    const measure = async (bots: BenchBot[]) => {
      const plan = { ...targetsOf(environment, bots), inTurn: true, count: COUNT };
      const perSecond = await webhookToRow(environment, {
        ...plan,
        firstUpdateId: first,
        firstMessageId: first,
      });
      first += COUNT;
      await settled(environment);
      return perSecond;
    };
    await measure(alone);
    await measure(all);
    const ofOne: number[] = [];
    const ofAll: number[] = [];
    for (let n = 0; n < ROUNDS; n++) {
      // Tables grow from one to the next: neither is always the later.
      if (n % 2 === 1) ofAll.push(await measure(all));
      ofOne.push(await measure(alone));
      if (n % 2 === 0) ofAll.push(await measure(all));
    }
    const value = median(ofAll);
    const baseline = median(ofOne);
    return {
      figure: `webhook POST to message row, ${CONNECTORS} connectors in ${WORKSPACES} workspaces`,
      value: round(value),
      unit: "updates/s",
      rounds: ofAll.map(round),
      baseline: { name: "one connector in one workspace", value: round(baseline) },
      baselineRounds: ofOne.map(round),
      lessPercent: round((1 - value / baseline) * 100),
      backend: environment.redisUrl === undefined ? "postgres" : "redis",
      target: "at most 15 % less",
      reached: value >= 0.85 * baseline,
    };
  } finally {
    await environment.close();
  }
}
