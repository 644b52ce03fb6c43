import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { startAnsweringTelegram } from "../answering-telegram.ts";
import { openEnvironment } from "../environment.ts";
import type { Figure } from "../figure.ts";
import { load, targetsOf } from "../load-run.ts";
import { round } from "../numbers.ts";
import { profiledInto, stopProcess, writeFlameGraph } from "../profiles.ts";
import { until } from "../until.ts";

const PROCESSES = ["web", "ingest", "outbound"] as const;
const COUNT = 30_000;

/**
 * Where the processes of the spine spend their time while it is under load: writes a flame graph of
 * each to docs/flame-graphs and names the widest frames. Only when it is asked for by name.
 */
export async function flameGraphs(): Promise<Figure> {
  const telegram = await startAnsweringTelegram();
  const environment = await openEnvironment(telegram.url);
  const profiles = await mkdtemp(path.join(tmpdir(), "heliograph-profiles-"));
  try {
    const bots = await environment.addBots(1);
    const folderOf = (name: string) => path.join(profiles, name);
    const running = [];
    for (const name of PROCESSES) {
      running.push(await environment.start(name, profiledInto(folderOf(name))));
    }
    const startedMs = performance.now();
    await load(environment, { ...targetsOf(environment, bots), count: COUNT });
    await until(async () => {
      const [row] = await environment.db.query<{ count: number }>(
        "SELECT count(*)::int AS count FROM jobs WHERE queue = 'ingest' AND state = 'completed'",
      );
      return (row?.count ?? 0) >= COUNT;
    });
    const seconds = (performance.now() - startedMs) / 1_000;
    await Promise.all(running.map(stopProcess));
    const widest: Record<string, string[]> = {};
    for (const name of PROCESSES) {
      widest[name] = await writeFlameGraph(folderOf(name), { name, of: `${COUNT} updates` });
    }
    return {
      figure: "flame graphs of the spine's load, in docs/flame-graphs",
      value: round(COUNT / seconds),
      unit: "updates/s while profiled",
      widest,
      baseline: null,
      target: "kept",
      reached: true,
    };
  } finally {
    await environment.close();
    telegram.close();
    await rm(profiles, { recursive: true, force: true });
  }
}
