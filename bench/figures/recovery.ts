import type { ChildProcess } from "node:child_process";
import type { Database } from "../../src/platform/index.ts";
import { openEnvironment } from "../environment.ts";
import type { Figure } from "../figure.ts";
import { load, NOWHERE, targetsOf } from "../load-run.ts";
import { round } from "../numbers.ts";

const RECOVERY_DEADLINE_MS = 60_000;

/** From the SIGKILL of a worker that holds lanes until what waited in them at that moment is done. */
export async function recovery(): Promise<Figure> {
  const environment = await openEnvironment(NOWHERE);
  const { db } = environment;
  try {
    const bots = await environment.addBots(1);
    await environment.start("web");
    const victim = await environment.start("ingest");
    await environment.start("ingest");
    const targets = targetsOf(environment, bots);
    await load(environment, { ...targets, count: 2_000 });
    const running = load(environment, { ...targets, seconds: 6, firstUpdateId: 5_000_000 });
    const held = await killWithLanes(db, victim);
    const killedMs = performance.now();
    const [newest] = await db.query<{ id: string }>("SELECT max(id) AS id FROM jobs");
    while (
      (
        await db.query(
          `SELECT 1 FROM jobs WHERE queue = 'ingest' AND lane = ANY ($1) AND id <= $2
             AND state IN ('available', 'running', 'retryable') LIMIT 1`,
          [held, newest?.id],
        )
      ).length > 0
    ) {
      if (performance.now() - killedMs > RECOVERY_DEADLINE_MS) throw new Error("no recovery");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const seconds = (performance.now() - killedMs) / 1_000;
    await running;
    return {
      figure: "SIGKILL of a worker under load until what waited in its lanes is done",
      value: round(seconds),
      unit: "s",
      lanesHeld: held.length,
      baseline: null,
      target: "< 8 s",
      reached: seconds < 8,
    };
  } finally {
    await environment.close();
  }
}

/** Kills a worker at a moment at which it holds lanes, and answers their names. */
async function killWithLanes(db: Database, victim: ChildProcess): Promise<string[]> {
  const [worker] = await db.query<{ owner: string }>(
    "SELECT split_part(worker, '/', 3) AS owner FROM jobs WHERE split_part(worker, '/', 2) = $1 LIMIT 1",
    [String(victim.pid)],
  );
  if (worker === undefined) throw new Error("the worker to kill has done nothing");
  for (;;) {
    victim.kill("SIGSTOP");
    const lanes = await db.query<{ lane: string }>(
      "SELECT lane FROM lanes WHERE owner::text LIKE $1 || '%' AND due_at IS NOT NULL",
      [worker.owner],
    );
    if (lanes.length > 0) {
      victim.kill("SIGKILL");
      return lanes.map(({ lane }) => lane);
    }
    victim.kill("SIGCONT");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
