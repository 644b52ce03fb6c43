import type { Queryable } from "../platform/index.ts";
import type { AuditAction } from "./actions.ts";
import type { AuditEntry } from "./chain.ts";
import { ENTRY_COLUMNS, type EntryRow, entryOf } from "./entry-row.ts";

/** What may be looked for in one chain; everything given must hold. */
export interface AuditFilter {
  workspaceId: string;
  action?: AuditAction;
  actorId?: string;
  subjectId?: string;
  /** At this time (ISO 8601, to the microsecond) or later. */
  from?: string;
  /** Before this time. */
  to?: string;
}

/** Where an entry stands in the order of time, from the newest back. */
export interface AuditPlace {
  /** As `AuditEntry.at`. */
  at: string;
  id: string;
}

/** An entry with its place in the chain; null until it is sealed, within a second or so. */
export type ListedEntry = AuditEntry & {
  number: number | null;
  previous: string | null;
  hash: string | null;
};

type ListedRow = EntryRow & { number: string | null; hash: Buffer | null; previous: Buffer | null };

/** The newest first. Every condition is led to by an index that goes in the same order. */
export async function listEntries(
  on: Queryable,
  filter: AuditFilter,
  { limit, before }: { limit: number; before?: AuditPlace },
): Promise<ListedEntry[]> {
  const params: unknown[] = [filter.workspaceId, limit];
  const conditions = ["e.workspace_id = $1"];
  const where = (condition: (param: string) => string, value: unknown) => {
    if (value !== undefined) conditions.push(condition(`$${params.push(value)}`));
  };
  where((param) => `e.action = ${param}`, filter.action);
  where((param) => `e.actor_id = ${param}`, filter.actorId);
  where((param) => `e.subject_id = ${param}`, filter.subjectId);
  where((param) => `e.at >= ${param}::timestamptz`, filter.from);
  where((param) => `e.at < ${param}::timestamptz`, filter.to);
  if (before !== undefined) {
    const place = `($${params.push(before.at)}::timestamptz, $${params.push(before.id)}::bigint)`;
    conditions.push(`(e.at, e.id) < ${place}`);
  }
  const rows = await on.query<ListedRow>(
    `SELECT ${ENTRY_COLUMNS}, s.number, s.hash, p.hash AS previous
     FROM (
       SELECT * FROM audit_entries e WHERE ${conditions.join(" AND ")}
       ORDER BY e.at DESC, e.id DESC LIMIT $2
     ) e
     LEFT JOIN audit_seals s ON s.workspace_id = e.workspace_id AND s.entry_id = e.id
     LEFT JOIN audit_seals p ON p.workspace_id = s.workspace_id AND p.number = s.number - 1
     ORDER BY e.at DESC, e.id DESC`,
    params,
  );
  return rows.map(listedOf);
}

function listedOf(row: ListedRow): ListedEntry {
  const hash = row.hash?.toString("hex") ?? null;
  const previous = row.previous?.toString("hex") ?? (row.number === "1" ? "0".repeat(64) : null);
  const number = row.number === null ? null : Number(row.number);
  return { ...entryOf(row), number, previous, hash };
}
