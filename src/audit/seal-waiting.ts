import { fewRows, type Keyring, type Transaction } from "../platform/index.ts";
import { EMPTY_CHAIN, type Head, headAt, type SealedEntry, seal } from "./chain.ts";
import { ENTRY_COLUMNS, type EntryRow, entryOf } from "./entry-row.ts";
import { openHead, sealHead } from "./head.ts";

/**
 * What a transaction does to put waiting entries into their chain. Whoever holds the head's row seals,
 * from the read of what waits to the commit that numbers it.
 */
const BATCH_ENTRIES = 500;
/** More are left to the sealer. */
const MAX_BATCHES = 20;

const BEGIN_CHAIN = `/* audit.begin-chain */
INSERT INTO audit_heads (workspace_id) VALUES ($1) ON CONFLICT DO NOTHING`;

const AWAIT = `/* audit.await-head */
SELECT head_sealed FROM audit_heads WHERE workspace_id = $1 FOR UPDATE`;

const HOLD = `/* audit.hold-head */
SELECT head_sealed FROM audit_heads WHERE workspace_id = $1 FOR UPDATE SKIP LOCKED`;

const WAITING = `/* audit.waiting-entries */
SELECT ${ENTRY_COLUMNS} FROM (
  SELECT workspace_id, entry_id FROM audit_unsealed WHERE workspace_id = $1
  ORDER BY entry_id LIMIT ${BATCH_ENTRIES}
) u JOIN audit_entries e ON e.workspace_id = u.workspace_id AND e.id = u.entry_id
ORDER BY e.id`;

const SEAL = `/* audit.seal */
WITH sealed AS (
  INSERT INTO audit_seals (workspace_id, number, entry_id, hash)
  SELECT $1, number, entry_id, hash
  FROM unnest($2::bigint[], $3::bigint[], $4::bytea[]) AS t(number, entry_id, hash)
), done AS (
  DELETE FROM audit_unsealed u
  USING (SELECT * FROM unnest($3::bigint[]) AS t(entry_id) ${fewRows("$3")}) t
  WHERE u.workspace_id = $1 AND u.entry_id = t.entry_id
)
UPDATE audit_heads SET head_sealed = $5 WHERE workspace_id = $1`;

/** Seals the next entries of a chain, unless another holds it. Answers how many. Throws `SealError`. */
export async function sealBatch(
  tx: Transaction,
  keyring: Keyring,
  workspaceId: string,
): Promise<number> {
  const head = await holdHead(tx, keyring, { workspaceId, sql: HOLD });
  if (head === null) return 0;
  const { count } = await sealBehind(tx, keyring, { workspaceId, head });
  return count - head.count;
}

/**
 * For a reader whose rows and chain are to tell of the same moment, as the first thing in a transaction
 * of isolation level REPEATABLE READ: from then on every entry that it sees is in the chain, and those
 * that it does not see are behind them. Ten thousand that wait are sealed at most; the rest stays waiting.
 *
 * @throws SealError when the head does not open; Postgres's 40001 where another sealed meanwhile (the
 * transaction is tried again), 55P03 where it holds the head for too long
 */
export async function sealAllSeen(
  tx: Transaction,
  keyring: Keyring,
  workspaceId: string,
): Promise<void> {
  let head = await holdHead(tx, keyring, { workspaceId, sql: AWAIT });
  for (let batch = 0; head !== null && batch < MAX_BATCHES; batch++) {
    const before: Head = head;
    head = await sealBehind(tx, keyring, { workspaceId, head: before });
    if (head.count - before.count < BATCH_ENTRIES) return;
  }
}

/** Null: another holds it. */
async function holdHead(
  tx: Transaction,
  keyring: Keyring,
  { workspaceId, sql }: { workspaceId: string; sql: string },
): Promise<Head | null> {
  await tx.query(BEGIN_CHAIN, [workspaceId]);
  const [held] = await tx.query<{ head_sealed: Buffer | null }>(sql, [workspaceId]);
  if (held === undefined) return null;
  return held.head_sealed === null ? EMPTY_CHAIN : openHead(keyring, workspaceId, held.head_sealed);
}

/** Puts a batch of what waits behind the head; answers where the chain ends then. */
async function sealBehind(
  tx: Transaction,
  keyring: Keyring,
  { workspaceId, head: before }: { workspaceId: string; head: Head },
): Promise<Head> {
  let head = before;
  const lines: SealedEntry[] = [];
  for (const row of await tx.query<EntryRow>(WAITING, [workspaceId])) {
    const line = seal(entryOf(row), head);
    lines.push(line);
    head = headAt(line);
  }
  if (lines.length === 0) return head;
  await tx.query(SEAL, [
    workspaceId,
    lines.map(({ number }) => number),
    lines.map(({ id }) => id),
    lines.map(({ hash }) => Buffer.from(hash, "hex")),
    sealHead(keyring, workspaceId, head),
  ]);
  return head;
}
