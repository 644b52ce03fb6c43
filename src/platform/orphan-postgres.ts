import { execFile } from "node:child_process";
import { readFile, readlink, realpath, rm } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

/**
 * What a crash of ours may leave in a data folder: a Postgres that still runs, or the pid file of one
 * that does not. Postgres itself believes the file as long as any process has that number, so after
 * a restart of the machine or the container a stranger with it would keep it from starting.
 *
 * To be called only by who holds the folder's lock: then whatever runs there has no master.
 */
export async function clearOrphan(dataFolder: string): Promise<"none" | "stale" | "stopped"> {
  const pidFile = path.join(dataFolder, "postmaster.pid");
  const pid = await readPid(pidFile);
  if (pid === undefined) return "none";
  if (!isAlive(pid)) return "stale"; // Postgres sees that itself, and checks its shared memory too
  if (!(await isPostgresOf(pid, dataFolder))) {
    await rm(pidFile, { force: true });
    return "stale";
  }
  for (const [signal, graceMs] of STEPS) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EPERM") break;
      throw new Error(
        `A Postgres of another user (pid ${pid}) is running in ${dataFolder}: stop it, or start as that user`,
      );
    }
    const deadline = performance.now() + graceMs;
    while (performance.now() < deadline) {
      if (!isAlive(pid)) return "stopped";
      await delay(20);
    }
  }
  if (isAlive(pid))
    throw new Error(`Postgres (pid ${pid}) in ${dataFolder} does not stop: kill it`);
  return "stopped";
}

const STEPS: Array<[NodeJS.Signals, number]> = [
  ["SIGINT", 10_000],
  ["SIGQUIT", 5_000],
  ["SIGKILL", 5_000],
];

async function readPid(pidFile: string): Promise<number | undefined> {
  try {
    const [first = ""] = (await readFile(pidFile, "utf8")).split("\n");
    const pid = Math.abs(Number(first));
    return Number.isInteger(pid) && pid > 1 ? pid : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** True for every process, ours to signal or not. A zombie counts as gone. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Postgres works in its data folder, which tells best; its command line names it, too. */
async function isPostgresOf(pid: number, dataFolder: string): Promise<boolean> {
  const folder = await realpath(dataFolder);
  try {
    return (await readlink(`/proc/${pid}/cwd`)) === folder;
  } catch {
    // not Linux, or not allowed to look (another user's process, without CAP_SYS_PTRACE)
  }
  const words = await commandLine(pid);
  const named = words[words.indexOf("-D") + 1];
  if (named === undefined || !words.includes("-D")) return false;
  return (await realpath(named).catch(() => named)) === folder;
}

async function commandLine(pid: number): Promise<string[]> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0");
  } catch {
    // not Linux
  }
  try {
    const { stdout } = await promisify(execFile)(
      "ps",
      ["-ww", "-o", "command=", "-p", String(pid)],
      {
        timeout: 5_000,
      },
    );
    return stdout.trim().split(" ");
  } catch {
    return [];
  }
}
