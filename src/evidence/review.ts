import { recordAudit } from "../audit/index.ts";
import type { Queryable } from "../platform/index.ts";
import { contentDigest } from "./content-digest.ts";
import { type DecisionRefused, refusalOf } from "./judge.ts";
import { type EvidenceKey, holdStanding, writeStanding } from "./standing.ts";
import { afterEvent, type EvidenceState, type Standing } from "./states.ts";
import { type Who, whoIs } from "./who.ts";

export type SubmitRefused =
  | "unknown"
  | "not-draft"
  /** Each of its files failed, or is in quarantine: nobody could approve it. */
  | "no-content";

const HAS_CONTENT = `/* evidence.has-content */
SELECT 1 AS one FROM evidence_files
WHERE workspace_id = $1 AND evidence_id = $2 AND revision = $3
  AND state IN ('queued', 'downloading', 'stored')
LIMIT 1`;

/** What came of submitting; `revision`: the one that is looked at from now on. */
export type Submitted = { state: "in_review"; revision: number } | { refused: SubmitRefused };

/**
 * Hands a draft over to those who review. In the caller's transaction, with its entry. `by`:
 * `telegram:<user id>`, `person:<id>` or `key:<id>`; they need not have handed in its files. Files may
 * still be on their way: they are waited for where it is decided.
 */
export async function submitForReview(
  tx: Queryable,
  { workspaceId, evidenceId, by }: EvidenceKey & { by: string },
): Promise<Submitted> {
  const key = { workspaceId, evidenceId };
  const standing = await holdStanding(tx, key);
  if (standing === null) return { refused: "unknown" };
  const next = afterEvent(standing, "submit");
  if (next === null) return { refused: "not-draft" };
  const { revision } = next;
  const content = await tx.query(HAS_CONTENT, [workspaceId, evidenceId, revision]);
  if (content.length === 0) return { refused: "no-content" };
  await writeStanding(tx, key, next);
  const details = { revision, by: (await whoIs(tx, workspaceId, by)).name };
  await recordAudit(tx, {
    workspaceId,
    action: "evidence.submitted",
    subjectId: evidenceId,
    details,
  });
  return { state: "in_review", revision };
}

export interface Decision extends EvidenceKey {
  /** The one that was seen: another one meanwhile is refused. */
  revision: number;
  decision: "approved" | "rejected";
  /** `telegram:<user id>`, `person:<id>` or `key:<id>`. */
  by: string;
  /** At most 2,000 characters. */
  reason?: string;
  /** Until when it counts, a day; left out: as it was said before. */
  expiresOn?: string;
}

export type Decided = { state: EvidenceState; revision: number } | { refused: DecisionRefused };

const FILES = `/* evidence.files-to-decide */
SELECT f.id, f.state, encode(f.sha256, 'hex') AS sha256, f.size_bytes::float8 AS "sizeBytes",
  coalesce(f.submitted_by, r.submitted_by) AS name,
  (CASE WHEN f.submitted_by IS NULL THEN r.submitted_account ELSE f.submitted_account END) AS account,
  r.submitted_by AS first_name, r.submitted_account AS first_account,
  coalesce(e.expires_on < (now() AT TIME ZONE 'UTC')::date, false) AS is_over
FROM evidence_revisions r
JOIN evidence e ON e.workspace_id = r.workspace_id AND e.id = r.evidence_id
LEFT JOIN evidence_files f ON f.workspace_id = r.workspace_id AND f.evidence_id = r.evidence_id
  AND f.revision = r.number
WHERE r.workspace_id = $1 AND r.evidence_id = $2 AND r.number = $3`;

interface FileRow extends Who {
  /** Null: the revision has no file. */
  id: string | null;
  state: string | null;
  sha256: string | null;
  sizeBytes: number | null;
  first_name: string;
  first_account: string | null;
  /** The last day on which it counts, as it was said before. */
  is_over: boolean;
}

const DECIDE = `/* evidence.decide */
UPDATE evidence_revisions SET decision = $4, decided_by = $5, decided_account = $6,
  decided_at = clock_timestamp(), reason = $7, decided_files = $8::uuid[]
WHERE workspace_id = $1 AND evidence_id = $2 AND number = $3`;

/**
 * Approves or rejects what was handed in. Of two who decide at once the second waits for the first, and is
 * told. Nobody approves what they handed in; a key that acts for a person cannot be told from another.
 * In the caller's transaction, with its entry, also of what is refused.
 */
export async function decide(
  tx: Queryable,
  { workspaceId, evidenceId, revision, decision, by, reason, expiresOn }: Decision,
): Promise<Decided> {
  const key = { workspaceId, evidenceId };
  const standing = await holdStanding(tx, key);
  if (standing === null) return { refused: "unknown" };
  const who = await whoIs(tx, workspaceId, by);
  const rows = await tx.query<FileRow>(FILES, [workspaceId, evidenceId, standing.revision]);
  const isOver = expiresOn === undefined && rows.some(({ is_over }) => is_over);
  const said = { decision, revision, by: who };
  const subject = { workspaceId, subjectId: evidenceId } as const;
  const refused = refusalOf({ standing, isOver, ...contentOf(rows) }, said);
  if (refused !== null) {
    const details = { revision, by: who.name, why: refused };
    await recordAudit(tx, { ...subject, action: "evidence.decision_refused", details });
    return { refused };
  }
  const next = decided(standing, decision);
  const stored = storedOf(rows);
  const seen = stored.map(({ id }) => id);
  const columns = [decision, who.name, who.account, reason ?? null, seen];
  await tx.query(DECIDE, [workspaceId, evidenceId, revision, ...columns]);
  const until = decision === "approved" ? expiresOn : undefined;
  await writeStanding(tx, key, next, until);
  const details = { revision, by: who.name, content: contentDigest(stored) };
  await recordAudit(
    tx,
    decision === "approved"
      ? { ...subject, action: "evidence.approved", details: { ...details, expiresOn: until } }
      : { ...subject, action: "evidence.rejected", details },
  );
  return { state: next.state, revision };
}

function decided(standing: Standing, decision: Decision["decision"]): Standing {
  const next = afterEvent(standing, decision === "approved" ? "approve" : "reject");
  if (next === null) throw new Error("what is in review can be decided");
  return next;
}

const storedOf = (rows: readonly FileRow[]) =>
  rows.flatMap(({ id, state, sha256, sizeBytes }) =>
    state === "stored" && id !== null && sha256 !== null && sizeBytes !== null
      ? [{ id, sha256, sizeBytes }]
      : [],
  );

function contentOf(rows: readonly FileRow[]) {
  const senders = rows.flatMap((row) => [
    { name: row.first_name, account: row.first_account },
    { name: row.name, account: row.account },
  ]);
  const waiting = rows.filter(({ state }) => state === "queued" || state === "downloading").length;
  return { senders, stored: storedOf(rows).length, waiting };
}
