import type { ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { projectFile } from "../../src/platform/index.ts";
import { startAnsweringTelegram } from "../answering-telegram.ts";
import { openEnvironment } from "../environment.ts";
import type { Figure } from "../figure.ts";
import {
  type CpuProfile,
  type Frame,
  flameGraphSvg,
  framesOf,
  widestFrames,
} from "../flame-graph.ts";
import { load, targetsOf } from "../load-run.ts";
import { round } from "../numbers.ts";
import { until } from "../until.ts";

const PROCESSES = ["web", "ingest", "outbound"] as const;
const COUNT = 30_000;
const WIDEST = 3;
const STOP_MS = 20_000;

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
    const running: ChildProcess[] = [];
    for (const name of PROCESSES) {
      const flags = ["--cpu-prof", `--cpu-prof-dir=${path.join(profiles, name)}`];
      running.push(await environment.start(name, flags));
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
    await Promise.all(running.map(stop));
    const folder = projectFile("docs", "flame-graphs");
    await mkdir(folder, { recursive: true });
    const widest: Record<string, string[]> = {};
    for (const name of PROCESSES) {
      const frames = await busiest(path.join(profiles, name));
      const title = `${name}: ${COUNT} updates, ${Math.round(frames.totalUs / 1_000)} ms of work`;
      await writeFile(path.join(folder, `${name}.svg`), flameGraphSvg(frames, title));
      widest[name] = widestFrames(frames, WIDEST).map(
        (frame) => `${(frame.share * 100).toFixed(1)} % ${frame.name}`,
      );
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

/** A process writes its profile as it ends by itself. */
async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const cut = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  child.kill("SIGTERM");
  await ended;
  clearTimeout(cut);
}

/** Each thread has a profile of its own: the one that worked the most. */
async function busiest(folder: string): Promise<Frame> {
  const threads: Frame[] = [];
  for (const file of await readdir(folder)) {
    const profile = JSON.parse(await readFile(path.join(folder, file), "utf8")) as CpuProfile;
    threads.push(framesOf(profile));
  }
  const [first] = threads.sort((one, other) => other.totalUs - one.totalUs);
  if (first === undefined) throw new Error(`no profile was written in ${folder}`);
  return first;
}
