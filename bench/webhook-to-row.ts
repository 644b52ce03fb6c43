import type { Environment } from "./environment.ts";
import { type LoadPlan, load, type Target } from "./load-run.ts";
import { until } from "./until.ts";

const WAITING = `SELECT FROM jobs
  WHERE queue = 'ingest' AND state IN ('available', 'running', 'retryable') LIMIT 1`;

/**
 * Puts `plan.count` updates in and waits until everything of them is in its row. Gives updates a
 * second, from the first POST. Throws when one was refused.
 */
export async function webhookToRow(
  environment: Environment,
  plan: { port: number; targets: Target[]; count: number } & Partial<LoadPlan>,
): Promise<number> {
  const startedMs = performance.now();
  const { accepted } = await load(environment, plan);
  if (accepted !== plan.count) throw new Error(`${accepted} of ${plan.count} were accepted`);
  await until(async () => (await environment.db.query(WAITING)).length === 0);
  return plan.count / ((performance.now() - startedMs) / 1_000);
}

/** What follows a burst (finished jobs are filed) is over, so that it is not in the next one's way. */
export async function settled({ db }: Environment): Promise<void> {
  await until(
    async () => (await db.query("SELECT FROM jobs WHERE NOT filed LIMIT 1")).length === 0,
  );
}
