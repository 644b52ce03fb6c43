import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";

/** A process of the installation as its supervisor sees it: when it ends, it is started again. */
export interface SupervisedProcess {
  readonly name: string;
  kill(): void;
  stop(): void;
  resume(): void;
  /** Ends it, and starts it no more. */
  end(): Promise<void>;
  /** Each time that it ended by itself, not by `kill`. */
  readonly ownDeaths: OwnDeath[];
}

export interface OwnDeath {
  at: string;
  /** Exit code, or null when a signal ended it. */
  code: number | null;
  signal: string | null;
  /** What it wrote last, to its log and in despair. */
  lastLines: string[];
}

const RESTART_AFTER_MS = 700;
const LAST_LINES = 15;
const MAX_LINE = 2_000;
/** It may read every file that was stored. */
const RUN_WITHIN_MS = 600_000;

/** Runs `node …args`, with what it writes to its errors in a log. */
export function supervise(
  name: string,
  args: string[],
  env: Record<string, string>,
  logFile: string,
): SupervisedProcess {
  const log = createWriteStream(logFile, { flags: "a" });
  const ownDeaths: OwnDeath[] = [];
  let child: ChildProcess;
  let ending = false;
  let killed = false;
  const start = () => {
    const lastLines: string[] = [];
    child = spawn(process.execPath, args, {
      env: { ...process.env, NODE_OPTIONS: "", ...env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    child.stderr?.pipe(log, { end: false });
    child.stderr?.on("data", lineKeeper(lastLines));
    child.once("exit", (code, signal) => {
      // Its last lines may still be on their way.
      const at = new Date().toISOString();
      if (!killed && !ending) ownDeaths.push({ at, code, signal, lastLines });
      killed = false;
      if (!ending) setTimeout(() => !ending && start(), RESTART_AFTER_MS);
    });
  };
  start();
  return {
    name,
    ownDeaths,
    kill: () => {
      // One that has ended by itself a moment ago was not killed.
      if (child.kill("SIGKILL")) killed = true;
    },
    stop: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    end: async () => {
      ending = true;
      if (child.exitCode === null && child.signalCode === null) {
        const exited = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGCONT");
        child.kill("SIGKILL");
        await exited;
      }
      log.end();
    },
  };
}

/**
 * Runs `node …args` to its end, and ends it itself after `withinMs`; gives what it printed and complained
 * of. Its code is null where a signal ended it.
 */
export async function runOnce(
  args: string[],
  env: Record<string, string>,
  withinMs = RUN_WITHIN_MS,
): Promise<{ code: number | null; lines: string[] }> {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, NODE_OPTIONS: "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: withinMs,
    killSignal: "SIGKILL",
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk) => {
      text += chunk;
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { code, lines: text.split("\n").filter((line) => line !== "") };
}

/** Keeps the last lines of what comes in `lines`. */
function lineKeeper(lines: string[]): (chunk: Buffer) => void {
  let partial = "";
  return (chunk) => {
    const whole = (partial + chunk.toString("utf8")).split("\n");
    partial = whole.pop() ?? "";
    lines.push(...whole.filter((line) => line !== "").map((line) => line.slice(0, MAX_LINE)));
    lines.splice(0, lines.length - LAST_LINES);
  };
}
