import { fewRows, type Queryable } from "../platform/index.ts";
import type { AuditAction } from "./actions.ts";

/** Where a chain speaks of something. */
export interface EntriesAbout {
  /** Numbers of the first and the last entry about it that is sealed; null: there is none. */
  sealed: { first: number; last: number } | null;
  /** Entries about it that wait to be sealed. */
  waiting: number;
}

const FIND = `/* audit.entries-about */
SELECT min(s.number) AS first, max(s.number) AS last,
  (count(*) FILTER (WHERE s.number IS NULL))::int AS waiting
FROM (SELECT * FROM unnest($2::text[]) AS k(subject_id) ${fewRows("$2")}) k
JOIN audit_entries e ON e.workspace_id = $1 AND e.subject_id = k.subject_id
  AND e.action = ANY ($3::text[])
LEFT JOIN audit_seals s ON s.workspace_id = e.workspace_id AND s.entry_id = e.id`;

/** Of these actions, about these subjects. */
export async function entriesAbout(
  on: Queryable,
  workspaceId: string,
  { subjectIds, actions }: { subjectIds: readonly string[]; actions: readonly AuditAction[] },
): Promise<EntriesAbout> {
  const [row] = await on.query<{ first: string | null; last: string | null; waiting: number }>(
    FIND,
    [workspaceId, subjectIds, actions],
  );
  const first = row?.first ?? null;
  const last = row?.last ?? null;
  return {
    sealed: first === null || last === null ? null : { first: Number(first), last: Number(last) },
    waiting: row?.waiting ?? 0,
  };
}
