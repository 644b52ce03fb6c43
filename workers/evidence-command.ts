import { parseArgs } from "node:util";
import { type FileFault, verifyVault } from "../src/evidence/index.ts";
import { asUuid } from "./options.ts";
import type { System } from "./system.ts";

/** `heliograph evidence verify`: see docs/storage.md. */
const OPTIONS = {
  workspace: { type: "string" },
  "older-than": { type: "string" },
} as const;

const MAX_DAYS = 36_500;

const WORDS: Record<FileFault["fault"], string> = {
  missing: "MISSING   ",
  altered: "ALTERED   ",
  refused: "REFUSED   ",
  "no-key": "NO KEY    ",
};

/** As a shell has it of a process that Ctrl-C ended. */
const INTERRUPTED = 130;

function daysOption(text: string): number {
  const days = Number(text);
  if (!/^\d{1,5}$/.test(text) || days > MAX_DAYS) {
    throw new Error("--older-than is a number of days, e.g. 30");
  }
  return days;
}

export interface EvidenceCommandOptions {
  print: (line: string) => void | Promise<void>;
  /** Somebody wants it to end. */
  signal?: AbortSignal;
}

/**
 * Runs `evidence …`; answers the exit code: 0, 1 when a file is not as it was, 130 when it was
 * interrupted. Throws an `Error` in one line for what cannot be done, `ConfigError` where STORAGE_URL
 * is not set.
 */
export async function evidenceCommand(
  { db, keyring, files }: Pick<System, "db" | "keyring" | "files">,
  args: string[],
  { print, signal }: EvidenceCommandOptions,
): Promise<number> {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  if (positionals.length !== 1 || positionals[0] !== "verify") {
    throw new Error("evidence takes verify");
  }
  const { workspace, "older-than": olderThan } = values;
  const workspaceId = workspace === undefined ? undefined : asUuid("--workspace", workspace);
  if (workspaceId !== undefined && !(await isWorkspace(db, workspaceId))) {
    throw new Error(`there is no workspace ${workspaceId}`);
  }
  const found = { sound: 0, faults: 0, unread: 0 };
  const faults = verifyVault({
    db,
    keyring,
    storage: await files.storage(),
    workspaceId,
    signal,
    olderThanDays: olderThan === undefined ? undefined : daysOption(olderThan),
    onVerified: (fault) => {
      if (fault === null) found.sound++;
    },
  });
  const summary = () =>
    `${found.sound} files are as they were stored, ${found.faults} are not${found.unread === 0 ? "" : `, ${found.unread} could not be read`}`;
  try {
    for await (const fault of faults) {
      if (fault.fault === "missing" || fault.fault === "altered") found.faults++;
      else found.unread++;
      await print(lineOf(fault));
    }
  } catch (error) {
    if (!signal?.aborted) throw error;
    await print(`interrupted: so far ${summary()}; with --older-than 1 it goes on`);
    return INTERRUPTED;
  }
  await print(summary());
  return found.faults + found.unread === 0 ? 0 : 1;
}

function lineOf({ workspaceId, storedFileId, fault, why, evidence }: FileFault): string {
  const of = evidence.length === 0 ? "no evidence" : evidence.map((n) => `EV-${n}`).join(", ");
  return `${WORDS[fault]}${workspaceId}/${storedFileId}  ${of}${why === null ? "" : `  ${why}`}`;
}

const isWorkspace = async (db: System["db"], id: string) =>
  (await db.query("SELECT 1 AS yes FROM workspaces WHERE id = $1", [id])).length > 0;
