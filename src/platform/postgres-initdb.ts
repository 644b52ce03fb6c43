import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { syncFolder } from "./durable-file.ts";
import { type ClusterTools, giveTo, lastLines, SUPERUSER } from "./postgres-tools.ts";
import { SYSTEM_ENVIRONMENT } from "./system-environment.ts";

export interface CreateClusterOptions {
  dataFolder: string;
  password: string;
  /** False only for throw-away clusters: initdb then skips its syncs. */
  durable: boolean;
  timeoutMs: number;
}

/**
 * Runs initdb beside `dataFolder` and renames the result into place, so that `dataFolder` exists
 * complete or not at all, wherever an interruption falls. What earlier interruptions left is removed.
 *
 * @throws with the end of initdb's own output when it fails or takes longer than `timeoutMs`
 */
export async function createCluster(
  tools: ClusterTools,
  options: CreateClusterOptions,
): Promise<void> {
  const { dataFolder, password, durable, timeoutMs } = options;
  await removeHalfMade(dataFolder);
  // A name of its own each time: an initdb whose parent was killed may still be writing to the last.
  const half = await mkdtemp(`${dataFolder}${HALF_MADE}`);
  const cluster = path.join(half, "cluster");
  const passwordFile = path.join(half, "password");
  try {
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
    await mkdir(cluster, { mode: 0o700 });
    for (const each of [half, cluster, passwordFile]) await giveTo(tools.account, each);
    await runInitdb(
      tools,
      [
        `--pgdata=${cluster}`,
        `--username=${SUPERUSER}`,
        `--pwfile=${passwordFile}`,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        // Postgres's own C.UTF-8: the same letters on every machine, whatever locales it has.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        ...(durable ? [] : ["--no-sync"]),
      ],
      timeoutMs,
    );
    // Beside the data it opens, and arriving with it: the two cannot be parted by a crash.
    await rename(passwordFile, path.join(cluster, PASSWORD_FILE));
    await rename(cluster, dataFolder);
    if (durable) await syncFolder(path.dirname(dataFolder));
  } finally {
    await rm(half, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What the folder of an initdb at work begins with, after the data folder's own name. */
const HALF_MADE = ".half-made-";
/** Inside the data folder; Postgres leaves files alone that it does not know. */
const PASSWORD_FILE = "heliograph-password";

/** The superuser's password of a cluster that `createCluster` has made. */
export async function readClusterPassword(dataFolder: string): Promise<string> {
  return (await readFile(path.join(dataFolder, PASSWORD_FILE), "utf8")).trim();
}

async function removeHalfMade(dataFolder: string): Promise<void> {
  const prefix = path.basename(dataFolder) + HALF_MADE;
  for (const name of await readdir(path.dirname(dataFolder))) {
    if (!name.startsWith(prefix)) continue;
    const left = path.join(path.dirname(dataFolder), name);
    await rm(left, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function runInitdb(tools: ClusterTools, args: string[], timeoutMs: number): Promise<void> {
  const command = tools.as(tools.binaries.initdb, args);
  const child = spawn(command.file, command.args, {
    ...command.options,
    cwd: "/",
    env: SYSTEM_ENVIRONMENT,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-8_000);
    });
  }
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    if (code !== 0) {
      const why =
        code === null ? `was ended, after at most ${timeoutMs} ms` : `exited with ${code}`;
      throw new Error(`initdb ${why}: ${lastLines(output)}`);
    }
  } finally {
    clearTimeout(timer);
  }
}
