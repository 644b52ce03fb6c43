import { AUDIT_SEALED_COLUMNS, INSTALLATION, recordAudit } from "../src/audit/index.ts";
import { SEALED_COLUMNS } from "../src/connectors/index.ts";
import { STORED_FILES_SEALED_COLUMNS } from "../src/evidence/index.ts";
import { findUnreadable, rewrapSealed, type UnreadableRecord } from "../src/platform/index.ts";
import type { Print } from "./jobs-command.ts";
import type { System } from "./system.ts";

/** Everything that any room keeps sealed. */
const COLUMNS = [...SEALED_COLUMNS, ...AUDIT_SEALED_COLUMNS, ...STORED_FILES_SEALED_COLUMNS];

/** `heliograph keys rotate`: wraps every sealed record by the newest key. */
export async function keysCommand(
  { db, keyring }: System,
  args: string[],
  print: Print,
): Promise<void> {
  if (args.length !== 1 || args[0] !== "rotate") throw new Error("keys takes rotate");
  const { rewrapped, unreadable, left } = await rewrapSealed(db, keyring, COLUMNS);
  await recordAudit(db, {
    workspaceId: INSTALLATION,
    action: "encryption_keys.rotated",
    details: { keyVersion: keyring.currentVersion, rewrapped, unreadable: unreadable.length, left },
  });
  print(`${rewrapped} records are wrapped by key v${keyring.currentVersion} now`);
  for (const record of unreadable) print(`cannot be read, and was left as it is: ${words(record)}`);
  if (left > 0) {
    throw new Error(
      `${left} records were sealed with an older key meanwhile: give every process the new key first, then run this again`,
    );
  }
  if (unreadable.length > 0) {
    throw new Error(
      `${unreadable.length} records cannot be read: put the keys they were sealed with back into ENCRYPTION_KEYS, or replace what is in them`,
    );
  }
  print("older keys are not needed any more: they may leave ENCRYPTION_KEYS");
}

/**
 * Says at the start of a process which records its keys do not open. They are left as they are: with
 * their key back in ENCRYPTION_KEYS the next start reads them again. Never fails.
 */
export async function reportUnreadable({ db, keyring, log }: System): Promise<void> {
  try {
    const { records, total } = await findUnreadable(db, keyring, COLUMNS);
    for (const record of records)
      log.error({ ...record }, "a record's key is not in ENCRYPTION_KEYS");
    if (total > records.length)
      log.error({ total }, "records whose keys are not in ENCRYPTION_KEYS");
  } catch (error) {
    log.warn({ err: error }, "sealed records could not be looked at");
  }
}

const words = ({ table, column, row, workspaceId, keyVersion }: UnreadableRecord) =>
  `${table}.${column} of row ${row}, workspace ${workspaceId}, ${
    keyVersion === null ? "not a sealed value" : `sealed with key v${keyVersion}`
  }`;
