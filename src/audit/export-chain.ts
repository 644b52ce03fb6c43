import type { Keyring, Queryable } from "../platform/index.ts";
import { canonicalJson, EMPTY_CHAIN } from "./chain.ts";
import { entryOf } from "./entry-row.ts";
import { readHead } from "./head.ts";
import { readSeals } from "./sealed-entries.ts";

/** Says how the lines that follow are to be read: see docs/audit.md. */
export const EXPORT_FORMAT = "heliograph-audit-1";

const RANGE = `/* audit.export-range */
SELECT min(s.number) AS first, max(s.number) AS last
FROM audit_entries e JOIN audit_seals s ON s.workspace_id = e.workspace_id AND s.entry_id = e.id
WHERE e.workspace_id = $1 AND e.at >= coalesce($2, '-infinity'::timestamptz)
  AND e.at < coalesce($3, 'infinity'::timestamptz) AND s.number <= $4`;

const HASH_OF = `/* audit.hash-of */
SELECT hash FROM audit_seals WHERE workspace_id = $1 AND number = $2`;

/** Which piece: by time, or by numbers that are sealed already. */
export interface ChainPiece {
  workspaceId: string;
  from?: Date;
  to?: Date;
  numbers?: { first: number; last: number };
}

/**
 * A piece of the chain as JSON lines: what it is, every entry from the first to the last of the time
 * asked for with none left out, and where the chain ends. As it is kept, not recomputed: who reads it
 * finds what was altered. An entry that was deleted stands there as `missing`.
 *
 * @throws SealError when the head does not open
 */
export async function* exportChain(
  on: Queryable,
  keyring: Keyring,
  { workspaceId, from, to, numbers }: ChainPiece,
): AsyncGenerator<string> {
  const head = (await readHead(on, keyring, workspaceId)) ?? EMPTY_CHAIN;
  const { first, last } =
    numbers ??
    (from === undefined && to === undefined
      ? { first: 1, last: head.count }
      : await rangeOf(on, [workspaceId, from ?? null, to ?? null, head.count]));
  yield canonicalJson({ format: EXPORT_FORMAT, workspaceId, first, last });
  let previous = EMPTY_CHAIN.hash;
  if (first > 1) {
    const [before] = await on.query<{ hash: Buffer }>(HASH_OF, [workspaceId, first - 1]);
    previous = before?.hash.toString("hex") ?? "";
  }
  for await (const row of readSeals(on, workspaceId, { after: first - 1, last })) {
    const hash = row.hash.toString("hex");
    const number = Number(row.number);
    yield row.entry === null
      ? canonicalJson({ number, missing: true, previous, hash })
      : canonicalJson({ ...entryOf(row.entry), number, previous, hash });
    previous = hash;
  }
  yield canonicalJson({ head });
}

async function rangeOf(
  on: Queryable,
  params: readonly unknown[],
): Promise<{ first: number; last: number }> {
  const [range] = await on.query<{ first: string | null; last: string | null }>(RANGE, params);
  return { first: Number(range?.first ?? 1), last: Number(range?.last ?? 0) };
}
