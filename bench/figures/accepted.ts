import { openEnvironment } from "../environment.ts";
import type { Figure } from "../figure.ts";
import { load, NOWHERE, rate, targetsOf } from "../load-run.ts";
import { median, round } from "../numbers.ts";

/** Accepted and committed updates a second, against bare Express with the same bodies. */
export async function accepted(): Promise<Figure> {
  const environment = await openEnvironment(NOWHERE);
  try {
    const bots = await environment.addBots(1);
    await environment.start("web");
    const bare = await environment.script("bare-express", []);
    const bareTargets = {
      port: Number(bare.firstLine),
      targets: [{ path: "/webhook", secret: "x" }],
    };
    const ours: number[] = [];
    const theirs: number[] = [];
    const ownTargets = targetsOf(environment, bots);
    await load(environment, { ...bareTargets, seconds: 2 });
    await load(environment, { ...ownTargets, seconds: 3 });
    for (let run = 1; run <= 3; run++) {
      theirs.push(rate(await load(environment, { ...bareTargets, seconds: 5 })));
      const plan = { ...ownTargets, seconds: 5, firstUpdateId: run * 10_000_000 };
      ours.push(rate(await load(environment, plan)));
    }
    const value = median(ours);
    const baseline = median(theirs);
    return {
      figure: "updates accepted and committed by the receiver",
      value: round(value),
      unit: "updates/s",
      baseline: { name: "bare Express, express.json() and a 200", value: round(baseline) },
      ratio: round((value / baseline) * 100) / 100,
      target: "at least 50 % of the baseline",
      reached: value >= baseline / 2,
    };
  } finally {
    await environment.close();
  }
}
