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
  unreadable: "NO KEY    ",
};

function daysOption(text: string): number {
  const days = Number(text);
  if (!/^\d{1,5}$/.test(text) || days > MAX_DAYS) {
    throw new Error("--older-than is a number of days, e.g. 30");
  }
  return days;
}

/**
 * Runs `evidence …`; false when a file is not as it was. Throws an `Error` in one line for what cannot
 * be done, `ConfigError` where STORAGE_URL is not set.
 */
export async function evidenceCommand(
  { db, keyring, files }: Pick<System, "db" | "keyring" | "files">,
  args: string[],
  print: (line: string) => void | Promise<void>,
): Promise<boolean> {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  if (positionals.length !== 1 || positionals[0] !== "verify") {
    throw new Error("evidence takes verify");
  }
  const { workspace, "older-than": olderThan } = values;
  const found = { sound: 0, faults: 0 };
  const faults = verifyVault({
    db,
    keyring,
    storage: await files.storage(),
    workspaceId: workspace === undefined ? undefined : asUuid("--workspace", workspace),
    olderThanDays: olderThan === undefined ? undefined : daysOption(olderThan),
    onVerified: (fault) => {
      if (fault === null) found.sound++;
    },
  });
  for await (const { workspaceId, storedFileId, fault, evidence } of faults) {
    found.faults++;
    const of = evidence.length === 0 ? "no evidence" : evidence.map((n) => `EV-${n}`).join(", ");
    await print(`${WORDS[fault]}${workspaceId}/${storedFileId}  ${of}`);
  }
  await print(`${found.sound} files are as they were stored, ${found.faults} are not`);
  return found.faults === 0;
}
