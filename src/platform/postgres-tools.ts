import { chown, mkdir, rm } from "node:fs/promises";
import path from "node:path";
import {
  type AsAccount,
  chooseAccount,
  findWayToRun,
  type PostgresAccount,
} from "./postgres-account.ts";
import { findPostgresBinaries, type PostgresBinaries } from "./postgres-binaries.ts";

export const SUPERUSER = "postgres";

/** What it takes to run a cluster's programs. */
export interface ClusterTools {
  binaries: PostgresBinaries;
  account: PostgresAccount | undefined;
  as: AsAccount;
}

/** Finds the programs, and the account to run them as in `folder`, which must exist. */
export async function findClusterTools(folder: string, dataFolder: string): Promise<ClusterTools> {
  const binaries = await findPostgresBinaries();
  const account = await chooseAccount(dataFolder);
  const probe = path.join(folder, ".postgres-probe");
  await mkdir(probe, { recursive: true });
  try {
    await giveTo(account, probe);
    return { binaries, account, as: await findWayToRun(account, binaries.postgres, probe) };
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
}

/** Postgres must own what it is given. */
export async function giveTo(account: PostgresAccount | undefined, file: string): Promise<void> {
  if (account !== undefined) await chown(file, account.uid, account.gid);
}

/** The end of a program's output, in one line. */
export function lastLines(output: string): string {
  const lines = output
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  return lines.slice(-4).join(" | ").slice(-600);
}

/** Connection string of the superuser. */
export function clusterUrl(port: number, password: string, database: string): string {
  return `postgres://${SUPERUSER}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;
}
