import { type Database, type Keyring, SealError } from "../platform/index.ts";
import { INSTALLATION } from "./actions.ts";
import { openHead, sealHead } from "./head.ts";

const BATCH = 500;

/** The second and third byte of a sealed value are the version of its key (keyring.ts). */
const OLD_HEADS = `/* audit.old-heads */
SELECT workspace_id FROM audit_heads
WHERE ($1::uuid IS NULL OR workspace_id > $1) AND head_sealed IS NOT NULL
  AND get_byte(head_sealed, 1) * 256 + get_byte(head_sealed, 2) <> $2
ORDER BY workspace_id LIMIT ${BATCH}`;

const HOLD = `/* audit.hold-old-head */
SELECT head_sealed FROM audit_heads WHERE workspace_id = $1 FOR UPDATE`;

const RESEAL = `/* audit.reseal-head */
UPDATE audit_heads SET head_sealed = $2 WHERE workspace_id = $1`;

/** What a rotation of keys came to. */
export interface ResealedHeads {
  resealed: number;
  /** Chains (workspace ids) whose head does not open: its key is missing, or it was altered. Untouched. */
  unreadable: string[];
}

/**
 * Seals the heads anew that are sealed with another key than the newest, each with what it holds; a
 * chain in use gets there by itself. Can be ended and repeated at any time.
 */
export async function resealHeads(db: Database, keyring: Keyring): Promise<ResealedHeads> {
  const result: ResealedHeads = { resealed: 0, unreadable: [] };
  for (let after: string | null = null; ; ) {
    const chains: Array<{ workspace_id: string }> = await db.query(OLD_HEADS, [
      after,
      keyring.currentVersion,
    ]);
    for (const { workspace_id } of chains) {
      if (await resealHead(db, keyring, workspace_id)) result.resealed++;
      else result.unreadable.push(workspace_id);
    }
    after = chains.at(-1)?.workspace_id ?? INSTALLATION;
    if (chains.length < BATCH) return result;
  }
}

const resealHead = (db: Database, keyring: Keyring, workspaceId: string): Promise<boolean> =>
  db.transaction(async (tx) => {
    const [held] = await tx.query<{ head_sealed: Buffer | null }>(HOLD, [workspaceId]);
    if (!held?.head_sealed) return true;
    try {
      const head = openHead(keyring, workspaceId, held.head_sealed);
      await tx.query(RESEAL, [workspaceId, sealHead(keyring, workspaceId, head)]);
      return true;
    } catch (error) {
      if (error instanceof SealError) return false;
      throw error;
    }
  });
