import { fewRows, groupBy, type Queryable } from "../platform/index.ts";
import { contentDigest } from "./content-digest.ts";
import { codeOf, type FileState } from "./evidence-view.ts";
import type { EvidenceState } from "./states.ts";

/** Where a file came from and what it is, as far as the rows say. */
export interface FileProvenance {
  id: string;
  name: string;
  kind: string;
  state: FileState;
  error: string | null;
  claimedType: string | null;
  claimedBytes: number | null;
  contentType: string | null;
  sizeBytes: number | null;
  sha256: string | null;
  submittedBy: string;
  /** Null: by the API. */
  telegram: {
    connectorId: string;
    chatId: string;
    messageId: string | null;
    threadId: string | null;
    mediaGroupId: string | null;
    fileId: string | null;
    uniqueId: string | null;
    sentAt: string | null;
  } | null;
  takenAt: string;
  storedAt: string | null;
  /** It was stored when its revision was decided: the decision is about it. */
  isDecidedOn: boolean;
}

export interface RevisionProvenance {
  number: number;
  submittedBy: string;
  submittedAt: string;
  decision: "approved" | "rejected" | null;
  decidedBy: string | null;
  decidedAt: string | null;
  reason: string | null;
  /** What was decided on (content-digest.ts); null: nobody has decided. */
  content: string | null;
  files: FileProvenance[];
}

/** Everything that is known of how evidence came to be. */
export interface Provenance {
  id: string;
  code: string;
  type: string;
  status: EvidenceState;
  description: string;
  control: { id: string; code: string; title: string } | null;
  expiresOn: string | null;
  createdBy: string;
  createdAt: string;
  revision: number;
  approvedRevision: number | null;
  held: boolean;
  /** The oldest first. */
  revisions: RevisionProvenance[];
}

const EVIDENCE = `/* evidence.provenance */
SELECT e.id, e.number, e.type, e.status, e.description, e.expires_on::text, e.created_by, e.created_at,
  e.revision, e.approved_revision, e.held, c.id AS control_id, c.code AS control_code,
  c.title AS control_title
FROM (SELECT * FROM unnest($2::uuid[]) AS k(id) ${fewRows("$2")}) k
JOIN evidence e ON e.workspace_id = $1 AND e.id = k.id
LEFT JOIN controls c ON c.workspace_id = e.workspace_id AND c.id = e.control_id
ORDER BY e.number`;

const REVISIONS = `/* evidence.provenance-revisions */
SELECT r.evidence_id, r.number, r.submitted_by, r.submitted_at, r.decision, r.decided_by, r.decided_at,
  r.reason
FROM (SELECT * FROM unnest($2::uuid[]) AS k(id) ${fewRows("$2")}) k
JOIN evidence_revisions r ON r.workspace_id = $1 AND r.evidence_id = k.id
ORDER BY r.evidence_id, r.number`;

const FILES = `/* evidence.provenance-files */
SELECT f.evidence_id, f.revision, f.id, f.name, f.kind, f.state, f.error, f.claimed_type,
  f.claimed_bytes::float8 AS claimed_bytes, f.content_type, f.size_bytes::float8 AS size_bytes,
  encode(f.sha256, 'hex') AS sha256, coalesce(f.submitted_by, r.submitted_by) AS submitted_by,
  f.connector_id, f.chat_id, f.message_id, f.thread_id, f.media_group_id, f.telegram_file_id,
  f.telegram_unique_id, f.sent_at, f.created_at, f.stored_at,
  coalesce(f.id = ANY (r.decided_files), false) AS is_decided_on
FROM (SELECT * FROM unnest($2::uuid[]) AS k(id) ${fewRows("$2")}) k
JOIN evidence_revisions r ON r.workspace_id = $1 AND r.evidence_id = k.id
JOIN evidence_files f ON f.workspace_id = r.workspace_id AND f.evidence_id = r.evidence_id
  AND f.revision = r.number
ORDER BY f.evidence_id, f.revision, f.position, f.id LIMIT $3`;

/** Files of all of it together. */
const MAX_FILES = 5_000;

/** There is more than is read at once. */
export class TooManyFiles extends Error {
  override name = "TooManyFiles";
}

interface EvidenceRow {
  id: string;
  number: string;
  type: string;
  status: EvidenceState;
  description: string;
  expires_on: string | null;
  created_by: string;
  created_at: Date;
  revision: number;
  approved_revision: number | null;
  held: boolean;
  control_id: string | null;
  control_code: string | null;
  control_title: string | null;
}

interface RevisionRow {
  evidence_id: string;
  number: number;
  submitted_by: string;
  submitted_at: Date;
  decision: RevisionProvenance["decision"];
  decided_by: string | null;
  decided_at: Date | null;
  reason: string | null;
}

interface FileRow {
  evidence_id: string;
  revision: number;
  id: string;
  name: string;
  kind: string;
  state: FileState;
  error: string | null;
  claimed_type: string | null;
  claimed_bytes: number | null;
  content_type: string | null;
  size_bytes: number | null;
  sha256: string | null;
  submitted_by: string;
  connector_id: string | null;
  chat_id: string | null;
  message_id: string | null;
  thread_id: string | null;
  media_group_id: string | null;
  telegram_file_id: string | null;
  telegram_unique_id: string | null;
  sent_at: Date | null;
  created_at: Date;
  stored_at: Date | null;
  is_decided_on: boolean;
}

/**
 * Of those of them that the workspace has, by their numbers; statements of one snapshot agree.
 * @throws TooManyFiles
 */
export async function readProvenance(
  on: Queryable,
  workspaceId: string,
  ids: readonly string[],
): Promise<Provenance[]> {
  const params = [workspaceId, ids];
  const evidence = await on.query<EvidenceRow>(EVIDENCE, params);
  const revisions = groupBy(
    await on.query<RevisionRow>(REVISIONS, params),
    ({ evidence_id: id }) => id,
  );
  const rows = await on.query<FileRow>(FILES, [...params, MAX_FILES + 1]);
  if (rows.length > MAX_FILES) throw new TooManyFiles(`There are more than ${MAX_FILES} files.`);
  const files = groupBy(rows, ({ evidence_id: id, revision }) => `${id}/${revision}`);
  return evidence.map((row) => ({
    id: row.id,
    code: codeOf(row.number),
    type: row.type,
    status: row.status,
    description: row.description,
    control: controlOf(row),
    expiresOn: row.expires_on,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    revision: row.revision,
    approvedRevision: row.approved_revision,
    held: row.held,
    revisions: (revisions.get(row.id) ?? []).map((revision) =>
      revisionOf(revision, (files.get(`${row.id}/${revision.number}`) ?? []).map(fileOf)),
    ),
  }));
}

const controlOf = ({ control_id: id, control_code: code, control_title: title }: EvidenceRow) =>
  id === null || code === null || title === null ? null : { id, code, title };

const revisionOf = (row: RevisionRow, files: FileProvenance[]): RevisionProvenance => ({
  number: row.number,
  submittedBy: row.submitted_by,
  submittedAt: row.submitted_at.toISOString(),
  decision: row.decision,
  decidedBy: row.decided_by,
  decidedAt: row.decided_at?.toISOString() ?? null,
  reason: row.reason,
  content: row.decision === null ? null : contentDigest(files.flatMap(decidedFile)),
  files,
});

const decidedFile = ({ id, sha256, sizeBytes, isDecidedOn }: FileProvenance) =>
  isDecidedOn && sha256 !== null && sizeBytes !== null ? [{ id, sha256, sizeBytes }] : [];

const fileOf = (row: FileRow): FileProvenance => ({
  id: row.id,
  name: row.name,
  kind: row.kind,
  state: row.state,
  error: row.error,
  claimedType: row.claimed_type,
  claimedBytes: row.claimed_bytes,
  contentType: row.content_type,
  sizeBytes: row.size_bytes,
  sha256: row.sha256,
  submittedBy: row.submitted_by,
  telegram: telegramOf(row),
  takenAt: row.created_at.toISOString(),
  storedAt: row.stored_at?.toISOString() ?? null,
  isDecidedOn: row.is_decided_on,
});

function telegramOf(row: FileRow): FileProvenance["telegram"] {
  if (row.connector_id === null || row.chat_id === null) return null;
  return {
    connectorId: row.connector_id,
    chatId: row.chat_id,
    messageId: row.message_id,
    threadId: row.thread_id,
    mediaGroupId: row.media_group_id,
    fileId: row.telegram_file_id,
    uniqueId: row.telegram_unique_id,
    sentAt: row.sent_at?.toISOString() ?? null,
  };
}
