import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { projectFile } from "../src/platform/index.ts";

/** A process of the installation as its supervisor sees it: when it ends, it is started again. */
export interface SupervisedProcess {
  readonly name: string;
  kill(): void;
  stop(): void;
  resume(): void;
  /** Ends it, and starts it no more. */
  end(): Promise<void>;
  /** How often it ended by itself, not by `kill`. */
  readonly ownDeaths: number;
}

const RESTART_AFTER_MS = 700;

export function supervise(
  name: string,
  args: string[],
  env: Record<string, string>,
  logFile: string,
): SupervisedProcess {
  const log = createWriteStream(logFile, { flags: "a" });
  let child: ChildProcess;
  let ending = false;
  let killed = false;
  let ownDeaths = 0;
  const start = () => {
    child = spawn(process.execPath, [projectFile("bin", "heliograph.mjs"), ...args], {
      env: { ...process.env, NODE_OPTIONS: "", ...env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    child.stderr?.pipe(log, { end: false });
    child.once("exit", () => {
      if (!killed && !ending) ownDeaths++;
      killed = false;
      if (!ending) setTimeout(() => !ending && start(), RESTART_AFTER_MS);
    });
  };
  start();
  return {
    name,
    get ownDeaths() {
      return ownDeaths;
    },
    kill: () => {
      killed = true;
      child.kill("SIGKILL");
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
