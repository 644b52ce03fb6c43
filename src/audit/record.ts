import type { Queryable } from "../platform/index.ts";
import { whoActs } from "./acting.ts";
import { AUDIT_ACTIONS, assertKnownDetails, type NewAuditEntry } from "./actions.ts";

/**
 * A process that acts by itself goes by the name that its connection has in Postgres, e.g.
 * `heliograph outbound`.
 */
const RECORD = `/* audit.record */
INSERT INTO audit_entries
  (workspace_id, actor_kind, actor_id, action, subject_kind, subject_id, details, request_id)
SELECT t.workspace_id, $2,
  coalesce($3, nullif(left(current_setting('application_name'), 200), ''), 'heliograph'),
  t.action, t.subject_kind, t.subject_id, t.details, $4
FROM unnest($1::uuid[], $5::text[], $6::text[], $7::text[], $8::jsonb[])
  AS t(workspace_id, action, subject_kind, subject_id, details)`;

/** Writes entries in the transaction of the change they record; of a rollback nothing is left. */
export type RecordAudit = (tx: Queryable, ...entries: NewAuditEntry[]) => Promise<void>;

/** Takes no lock that another change waits for: the chain is made afterwards (sealer.ts). */
export const recordAudit: RecordAudit = async (tx, ...entries) => {
  if (entries.length === 0) return;
  for (const entry of entries) assertKnownDetails(entry);
  const acting = whoActs();
  await tx.query(RECORD, [
    entries.map(({ workspaceId }) => workspaceId),
    acting?.actor.kind ?? "system",
    acting?.actor.id ?? null,
    acting?.requestId ?? null,
    entries.map(({ action }) => action),
    entries.map(({ action }) => AUDIT_ACTIONS[action].subject),
    entries.map(({ subjectId }) => subjectId ?? null),
    entries.map(({ details }) => JSON.stringify(details ?? {})),
  ]);
};
