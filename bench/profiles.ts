import type { ChildProcess } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { projectFile } from "../src/platform/index.ts";
import {
  type CpuProfile,
  type Frame,
  flameGraphSvg,
  framesOf,
  widestFrames,
} from "./flame-graph.ts";

/** A process that does not end by itself is killed, without a profile. */
const STOP_MS = 20_000;
const WIDEST = 3;

/** Flags with which a process writes profiles into a folder when it ends by itself. */
export const profiledInto = (folder: string): string[] => [
  "--cpu-prof",
  `--cpu-prof-dir=${folder}`,
];

/** Ends a process as an operator does. */
export async function stopProcess(child: ChildProcess): Promise<void> {
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const cut = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  child.kill("SIGTERM");
  await ended;
  clearTimeout(cut);
}

/**
 * Writes the flame graph of what a process left in `folder` to docs/flame-graphs/NAME.svg; answers
 * its widest frames in words.
 */
export async function writeFlameGraph(
  folder: string,
  { name, of }: { name: string; of: string },
): Promise<string[]> {
  const frames = await busiest(folder);
  const title = `${name}: ${of}, ${Math.round(frames.totalUs / 1_000)} ms of work`;
  const graphs = projectFile("docs", "flame-graphs");
  await mkdir(graphs, { recursive: true });
  await writeFile(path.join(graphs, `${name}.svg`), flameGraphSvg(frames, title));
  return widestFrames(frames, WIDEST).map(
    (frame) => `${(frame.share * 100).toFixed(1)} % ${frame.name}`,
  );
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
