import {
  dropBySql,
  type Logger,
  Problem,
  type Queryable,
  type RetentionRule,
  type Transactor,
} from "../platform/index.ts";
import type { Answer } from "./route.ts";

/**
 * Idempotency keys: for 24 hours the same key gives the same answer. The key's row is written in
 * the transaction of what it stands for where that is one transaction (`claim` inside it), so a
 * twin that runs at the same time waits for the row and then reads the answer.
 */
export interface IdempotencyKey {
  workspaceId: string;
  key: string;
  /** Method and path: one key may be used by different calls. */
  call: string;
  bodyHash: Buffer;
}

/** Longer than any call takes: a key still without an answer then belongs to a process that died. */
const ABANDONED_AFTER = "2 min";

/** Null: the key is new and now ours. Otherwise the answer it was given before. */
export async function claimKey(on: Queryable, key: IdempotencyKey): Promise<Answer | null> {
  await on.query(
    `DELETE FROM idempotency_keys WHERE workspace_id = $1 AND key = $2 AND call = $3
       AND (created_at < now() - interval '24 h'
         OR (status IS NULL AND created_at < now() - $4::interval))`,
    [key.workspaceId, key.key, key.call, ABANDONED_AFTER],
  );
  const inserted = await on.query(
    `INSERT INTO idempotency_keys (workspace_id, key, call, body_hash) VALUES ($1, $2, $3, $4)
     ON CONFLICT DO NOTHING RETURNING 1`,
    [key.workspaceId, key.key, key.call, key.bodyHash],
  );
  if (inserted.length > 0) return null;
  const [row] = await on.query<{ body_hash: Buffer; status: number | null; answer: unknown }>(
    `SELECT body_hash, status, answer FROM idempotency_keys
     WHERE workspace_id = $1 AND key = $2 AND call = $3`,
    [key.workspaceId, key.key, key.call],
  );
  if (row !== undefined && !row.body_hash.equals(key.bodyHash)) {
    const detail = "This Idempotency-Key was used for another body within the last 24 hours.";
    throw new Problem(422, "Idempotency key reused", detail);
  }
  if (row === undefined || row.status === null) {
    const detail = "A call with this Idempotency-Key is still under way.";
    throw new Problem(409, "Still under way", detail, { headers: { "retry-after": "1" } });
  }
  return { status: row.status, body: row.answer };
}

export async function storeAnswer(
  on: Queryable,
  key: IdempotencyKey,
  answer: Answer,
): Promise<void> {
  await on.query(
    `UPDATE idempotency_keys SET status = $4, answer = $5
     WHERE workspace_id = $1 AND key = $2 AND call = $3`,
    [key.workspaceId, key.key, key.call, answer.status, JSON.stringify(answer.body)],
  );
}

/** Runs `make` once for an idempotency key, in the transaction of what it makes. */
export async function madeOnce(
  tx: Queryable,
  key: IdempotencyKey | null,
  make: () => Promise<unknown>,
): Promise<Answer> {
  const known = key && (await claimKey(tx, key));
  if (known) return known;
  const answer = { status: 201, body: await make() };
  if (key) await storeAnswer(tx, key, answer);
  return answer;
}

/**
 * Runs a call whose work is not one transaction: a failure gives the key back, and is thrown as it
 * was. Once the work is done the key is used up, even if its answer could not be stored: a repeated
 * call is then told that it is under way, and does not do the work again.
 */
export async function withStoredAnswer(
  { db, log }: { db: Transactor; log: Logger },
  key: IdempotencyKey | null,
  run: () => Promise<Answer>,
): Promise<Answer> {
  if (key === null) return run();
  const known = await db.transaction((tx) => claimKey(tx, key));
  if (known !== null) return known;
  const answer = await run().catch(async (error) => {
    await db
      .query(GIVE_BACK, [key.workspaceId, key.key, key.call])
      .catch((fault) => log.warn({ err: fault }, "an idempotency key could not be given back"));
    throw error;
  });
  await storeAnswer(db, key, answer).catch((error) =>
    log.error({ err: error, call: key.call }, "the answer of a call could not be stored"),
  );
  return answer;
}

const GIVE_BACK = `/* api.give-idempotency-key-back */
DELETE FROM idempotency_keys
WHERE workspace_id = $1 AND key = $2 AND call = $3 AND status IS NULL`;

const DROP_OLD = `/* api.drop-idempotency-keys */
DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM idempotency_keys WHERE created_at < now() - interval '24 h'
  ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING 1`;

/** Lets go of keys that are no longer honoured, whether somebody asks for them or not. */
export const idempotencyRetention: RetentionRule = {
  name: "idempotency keys",
  dropBatch: (tx, limit) => dropBySql(tx, DROP_OLD, limit),
};
