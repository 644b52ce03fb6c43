import type { Queryable } from "../platform/index.ts";

/**
 * How the ledger is read: each statement has one index to walk in order, and stops after a page. A
 * planner that believes a chat has few jobs would fetch them all to sort them, and one that
 * believes a word is everywhere would read all errors in search of it; neither is asked. For the
 * rest of the transaction.
 */
const setting = (name: string, value: string) => `set_config('${name}', '${value}', true)`;

const HELPERS_OFF = [setting("max_parallel_workers_per_gather", "0"), setting("jit", "off")];

const WALK_IN_ORDER = `/* jobs.walk-in-order */
SELECT ${[
  setting("enable_indexscan", "on"),
  setting("enable_bitmapscan", "off"),
  setting("enable_sort", "off"),
  ...HELPERS_OFF,
].join(", ")}`;

export async function walkInOrder(tx: Queryable): Promise<void> {
  await tx.query(WALK_IN_ORDER);
}

const ONE_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";

/** For what takes two statements: a job that is filed between them must not be missed by both. */
export async function inOneSnapshot(tx: Queryable): Promise<void> {
  await tx.query(ONE_SNAPSHOT);
}

const LOOK_UP_WORDS = `/* jobs.look-up-words */
SELECT ${[
  setting("enable_indexscan", "off"),
  setting("enable_bitmapscan", "on"),
  ...HELPERS_OFF,
].join(", ")}`;

/** For the one statement that goes by an index of words, which has no order. */
export async function lookUpWords(tx: Queryable): Promise<void> {
  await tx.query(LOOK_UP_WORDS);
}
