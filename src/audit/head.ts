import type { Keyring, Queryable } from "../platform/index.ts";
import type { Head } from "./chain.ts";

/** What this room keeps sealed. */
export const AUDIT_SEALED_COLUMNS = [{ table: "audit_heads", column: "head_sealed" }] as const;

/**
 * The head of a chain, count and last hash, is kept sealed with the keyring: who can write the tables
 * but has no key can cut off the chain's end, yet cannot make a head that agrees. An older head, kept
 * from before, can be put back together with what it stands for: only a head noted elsewhere (an
 * export, `audit verify --expect`) tells of that. A head's id is its workspace's.
 */
const placeOf = (workspaceId: string) => ({
  workspaceId,
  ...AUDIT_SEALED_COLUMNS[0],
  row: workspaceId,
});

export const sealHead = (keyring: Keyring, workspaceId: string, head: Head): Buffer =>
  keyring.seal(JSON.stringify(head), placeOf(workspaceId));

/** @throws SealError when it was altered, belongs to another chain, or its key is not in the ring */
export const openHead = (keyring: Keyring, workspaceId: string, sealed: Buffer): Head =>
  JSON.parse(keyring.open(sealed, placeOf(workspaceId)).toString("utf8")) as Head;

const READ = `/* audit.head */
SELECT head_sealed FROM audit_heads WHERE workspace_id = $1`;

/** Null for a chain of which nothing was sealed yet. @throws SealError */
export async function readHead(
  on: Queryable,
  keyring: Keyring,
  workspaceId: string,
): Promise<Head | null> {
  const [row] = await on.query<{ head_sealed: Buffer | null }>(READ, [workspaceId]);
  return row?.head_sealed ? openHead(keyring, workspaceId, row.head_sealed) : null;
}
