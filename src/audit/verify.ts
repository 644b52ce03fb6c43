import { type Keyring, type Queryable, SealError } from "../platform/index.ts";
import { INSTALLATION } from "./actions.ts";
import { EMPTY_CHAIN, type Head, seal } from "./chain.ts";
import { entryOf } from "./entry-row.ts";
import { readHead } from "./head.ts";
import { readSeals } from "./sealed-entries.ts";

/** What became of a chain that was recomputed. */
export interface ChainVerdict {
  /** `INSTALLATION` for the installation's own. */
  workspaceId: string;
  /** Entries that are as they were sealed, from the first one on. */
  verified: number;
  /** Where the chain ends, to be noted elsewhere; null when its head cannot be read. */
  head: Head | null;
  /** Entries that wait to be sealed: a second or so after they were written. */
  waiting: number;
  /** Null: all is well. Otherwise the first thing that is not. */
  fault: { number: number | null; entryId: string | null; what: string } | null;
}

const BEYOND = `/* audit.beyond-head */
SELECT number, entry_id FROM audit_seals WHERE workspace_id = $1 AND number > $2
ORDER BY number LIMIT 1`;

/** Entries that are neither in the chain nor wait for it. */
const STRAY = `/* audit.stray */
SELECT e.id FROM audit_entries e
WHERE e.workspace_id = $1
  AND NOT EXISTS (SELECT FROM audit_seals s
    WHERE s.workspace_id = $1 AND s.workspace_id = e.workspace_id AND s.entry_id = e.id)
  AND NOT EXISTS (SELECT FROM audit_unsealed u
    WHERE u.workspace_id = $1 AND u.workspace_id = e.workspace_id AND u.entry_id = e.id)
ORDER BY e.id LIMIT 1`;

const LOST = `/* audit.lost */
SELECT u.entry_id AS id FROM audit_unsealed u
WHERE u.workspace_id = $1
  AND NOT EXISTS (SELECT FROM audit_entries e
    WHERE e.workspace_id = $1 AND e.workspace_id = u.workspace_id AND e.id = u.entry_id)
ORDER BY u.entry_id LIMIT 1`;

const WAITING = `/* audit.waiting */
SELECT count(*)::int AS waiting FROM audit_unsealed WHERE workspace_id = $1`;

/**
 * Recomputes a chain up to its head. `expect` is a head that was noted before, elsewhere: the chain
 * must still hold it. Reads a batch at a time; what is sealed meanwhile is for the next look.
 */
export async function verifyChain(
  on: Queryable,
  keyring: Keyring,
  workspaceId: string,
  expect?: Head,
): Promise<ChainVerdict> {
  const [waiting] = await on.query<{ waiting: number }>(WAITING, [workspaceId]);
  const verdict: ChainVerdict = {
    workspaceId,
    verified: 0,
    head: null,
    waiting: waiting?.waiting ?? 0,
    fault: null,
  };
  try {
    verdict.head = (await readHead(on, keyring, workspaceId)) ?? EMPTY_CHAIN;
  } catch (error) {
    if (!(error instanceof SealError)) throw error;
    return {
      ...verdict,
      fault: { number: null, entryId: null, what: `the head: ${error.message}` },
    };
  }
  verdict.fault =
    (await walk(on, verdict, verdict.head, expect)) ??
    (await beyondHead(on, keyring, workspaceId)) ??
    (await firstOf(on, STRAY, workspaceId, "is in no chain and does not wait for one")) ??
    (await firstOf(on, LOST, workspaceId, "was deleted before it was sealed"));
  return verdict;
}

async function walk(
  on: Queryable,
  verdict: ChainVerdict,
  head: Head,
  expect: Head | undefined,
): Promise<ChainVerdict["fault"]> {
  let last = EMPTY_CHAIN;
  if (expect !== undefined && expect.count > head.count) return unexpected(expect, head);
  for await (const row of readSeals(on, verdict.workspaceId, { last: head.count })) {
    const number = last.count + 1;
    if (Number(row.number) !== number) {
      return { number, entryId: null, what: `entry ${number} is missing from the chain` };
    }
    const entryId = row.entry_id;
    if (row.entry === null) return { number, entryId, what: `entry ${number} was deleted` };
    const { hash } = seal(entryOf(row.entry), last);
    if (hash !== row.hash.toString("hex")) {
      return { number, entryId, what: `entry ${number} is not what was sealed` };
    }
    last = { count: number, hash };
    verdict.verified = number;
    if (expect?.count === number && expect.hash !== hash) return unexpected(expect, head);
  }
  if (last.count < head.count) {
    const number = last.count + 1;
    const what = `entries ${number} to ${head.count} are missing at the end of the chain`;
    return { number, entryId: null, what };
  }
  if (last.hash !== head.hash) {
    const what = `entry ${last.count} is not the one that the head names`;
    return { number: last.count, entryId: null, what };
  }
  return null;
}

const unexpected = (expect: Head, head: Head) => ({
  number: expect.count,
  entryId: null,
  what:
    expect.count > head.count
      ? `the chain ends at ${head.count}, but had ${expect.count} entries before`
      : `entry ${expect.count} is another than the one that was noted before`,
});

/** A seal that no head knows of; the head is read again, since it goes on meanwhile. */
async function beyondHead(
  on: Queryable,
  keyring: Keyring,
  workspaceId: string,
): Promise<ChainVerdict["fault"]> {
  const [beyond] = await on.query<{ number: string; entry_id: string }>(BEYOND, [
    workspaceId,
    ((await readHead(on, keyring, workspaceId)) ?? EMPTY_CHAIN).count,
  ]);
  if (beyond === undefined) return null;
  // Sealed between the two looks: by now its head is there.
  const head = (await readHead(on, keyring, workspaceId)) ?? EMPTY_CHAIN;
  const number = Number(beyond.number);
  if (number <= head.count) return null;
  return { number, entryId: beyond.entry_id, what: `entry ${number} is beyond the chain's head` };
}

async function firstOf(
  on: Queryable,
  sql: string,
  workspaceId: string,
  what: string,
): Promise<ChainVerdict["fault"]> {
  const [row] = await on.query<{ id: string }>(sql, [workspaceId]);
  return row === undefined
    ? null
    : { number: null, entryId: row.id, what: `the entry with id ${row.id} ${what}` };
}

const CHAINS = `/* audit.chains */
SELECT w.workspace_id, bool_or(w.is_created) AS is_created FROM (
  SELECT id AS workspace_id, false AS is_created FROM workspaces
  UNION ALL SELECT workspace_id, false FROM audit_heads
  UNION ALL SELECT workspace_id, false FROM audit_unsealed
  UNION ALL SELECT subject_id::uuid, true FROM audit_entries
    WHERE workspace_id = '${INSTALLATION}' AND action = 'workspace.created'
) w
WHERE $1::uuid IS NULL OR w.workspace_id = $1
GROUP BY w.workspace_id ORDER BY w.workspace_id`;

const IS_FIRST_CREATED = `/* audit.is-first-created */
SELECT FROM audit_entries WHERE workspace_id = $1 AND action = 'workspace.created' LIMIT 1`;

/**
 * Verifies one chain, or each there is and each there should be: of a workspace that the
 * installation's chain says was created, the chain cannot be gone altogether.
 */
export async function* verifyChains(
  on: Queryable,
  keyring: Keyring,
  { workspaceId, expect }: { workspaceId?: string; expect?: Head } = {},
): AsyncGenerator<ChainVerdict> {
  const chains = await on.query<{ workspace_id: string; is_created: boolean }>(CHAINS, [
    workspaceId ?? null,
  ]);
  for (const { workspace_id, is_created } of chains) {
    const verdict = await verifyChain(on, keyring, workspace_id, expect);
    const isGone = is_created && (await on.query(IS_FIRST_CREATED, [workspace_id])).length === 0;
    if (isGone && verdict.fault === null) {
      const what = "the chain of a workspace that was created does not hold its beginning";
      verdict.fault = { number: 1, entryId: null, what };
    }
    yield verdict;
  }
}
