import { type AuditAction, type AuditValue, INSTALLATION } from "./actions.ts";
import type { AuditEntry } from "./chain.ts";

/** Every column of an entry, as the chain writes it; `e` is audit_entries. */
export const ENTRY_COLUMNS = `e.workspace_id, e.id,
  to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at,
  e.actor_kind, e.actor_id, e.action, e.subject_kind, e.subject_id, e.details, e.request_id`;

export interface EntryRow {
  workspace_id: string;
  id: string;
  at: string;
  actor_kind: string;
  actor_id: string;
  action: AuditAction;
  subject_kind: string;
  subject_id: string | null;
  details: Record<string, AuditValue>;
  request_id: string | null;
}

export function entryOf(row: EntryRow): AuditEntry {
  return {
    workspaceId: row.workspace_id === INSTALLATION ? null : row.workspace_id,
    id: row.id,
    at: row.at,
    actorKind: row.actor_kind,
    actorId: row.actor_id,
    action: row.action,
    subjectKind: row.subject_kind,
    subjectId: row.subject_id,
    details: row.details,
    requestId: row.request_id,
  };
}
