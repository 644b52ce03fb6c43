import { fewRows, groupBy, type Queryable } from "../platform/index.ts";
import type { EvidenceState } from "./states.ts";

export const FILE_STATES = ["queued", "downloading", "stored", "failed", "quarantined"] as const;
export type FileState = (typeof FILE_STATES)[number];

/** A file that was handed in. */
export interface EvidenceFileView {
  id: string;
  name: string;
  /** document, photo, video, voice and so on. */
  kind: string;
  /** What it is by its content; null until it is stored. */
  contentType: string | null;
  /** What was said of it before. */
  claimedType?: string;
  sizeBytes: number | null;
  /** Of its content, in hex; null until it is stored. */
  sha256: string | null;
  state: FileState;
  /** In words. */
  error?: string;
  revision: number;
}

export interface EvidenceView {
  id: string;
  /** What people call it by: `EV-17`. */
  code: string;
  type: string;
  status: EvidenceState;
  description?: string;
  controlId?: string;
  requestedOf?: string;
  dueOn?: string;
  expiresOn?: string;
  createdBy: string;
  /** Of the newest revision; null: nothing was handed in yet. */
  submittedBy: string | null;
  submittedAt: string | null;
  decidedBy?: string;
  decidedAt?: string;
  /** Why it was decided so. */
  reason?: string;
  revision: number;
  /** The one that counts. */
  approvedRevision: number | null;
  /** It is under a legal hold. */
  held: boolean;
  version: number;
  createdAt: string;
  updatedAt: string;
  /** Of the newest revision. */
  files: EvidenceFileView[];
  /** There are more files than are shown. */
  moreFiles?: true;
}

const COLUMNS = `e.id, e.number, e.type, e.status, e.description, e.control_id, e.requested_of,
  e.due_on::text, e.expires_on::text, e.created_by, e.revision, e.approved_revision, e.held, e.version,
  e.created_at, e.updated_at, r.submitted_by, r.submitted_at, r.decided_by, r.decided_at, r.reason`;

const NEWEST_REVISION = `LEFT JOIN evidence_revisions r ON r.workspace_id = e.workspace_id
  AND r.evidence_id = e.id AND r.number = e.revision`;

interface EvidenceRow {
  id: string;
  number: string;
  type: string;
  status: EvidenceState;
  description: string;
  control_id: string | null;
  requested_of: string | null;
  due_on: string | null;
  expires_on: string | null;
  created_by: string;
  revision: number;
  approved_revision: number | null;
  held: boolean;
  version: number;
  created_at: Date;
  updated_at: Date;
  submitted_by: string | null;
  submitted_at: Date | null;
  decided_by: string | null;
  decided_at: Date | null;
  reason: string | null;
}

const FILES = `/* evidence.files-of */
SELECT f.* FROM (
  SELECT * FROM unnest($2::uuid[], $3::int[]) AS k(evidence_id, revision) ${fewRows("$2")}
) k CROSS JOIN LATERAL (
  SELECT f.evidence_id, f.id, f.name, f.kind, f.content_type, f.claimed_type,
    f.size_bytes::float8 AS size_bytes, encode(f.sha256, 'hex') AS sha256, f.state, f.error, f.revision
  FROM evidence_files f
  WHERE f.workspace_id = $1 AND f.evidence_id = k.evidence_id AND f.revision = k.revision
  ORDER BY f.position, f.id LIMIT $4
) f`;

interface FileRow {
  evidence_id: string;
  id: string;
  name: string;
  kind: string;
  content_type: string | null;
  claimed_type: string | null;
  size_bytes: number | null;
  sha256: string | null;
  state: FileState;
  error: string | null;
  revision: number;
}

/** Files of one revision that are shown: of one piece of evidence, and of each in a list. */
const MAX_FILES = { one: 1_000, ofList: 100 };

const FIND = `/* evidence.find */
SELECT ${COLUMNS} FROM evidence e ${NEWEST_REVISION} WHERE e.workspace_id = $1 AND e.id = $2`;

/** Null when the workspace has none with this id (a UUID). */
export async function findEvidence(
  on: Queryable,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<EvidenceView | null> {
  const rows = await on.query<EvidenceRow>(FIND, [workspaceId, id]);
  return (await withFiles(on, workspaceId, rows, MAX_FILES.one))[0] ?? null;
}

export interface EvidenceFilter {
  workspaceId: string;
  status?: EvidenceState;
  controlId?: string;
}

/** The newest first; `before`: the number of the last of the page before. */
export async function listEvidence(
  on: Queryable,
  { workspaceId, status, controlId }: EvidenceFilter,
  { limit, before }: { limit: number; before?: string },
): Promise<EvidenceView[]> {
  const params: unknown[] = [workspaceId, limit];
  // As the partial index has it that leads through all of them.
  const conditions = ["e.workspace_id = $1", "e.number > 0"];
  const where = (condition: (param: string) => string, value: unknown) => {
    if (value !== undefined) conditions.push(condition(`$${params.push(value)}`));
  };
  where((param) => `e.status = ${param}`, status);
  where((param) => `e.control_id = ${param}`, controlId);
  where((param) => `e.number < ${param}::bigint`, before);
  const rows = await on.query<EvidenceRow>(
    `SELECT ${COLUMNS} FROM evidence e ${NEWEST_REVISION}
     WHERE ${conditions.join(" AND ")} ORDER BY e.number DESC LIMIT $2`,
    params,
  );
  return withFiles(on, workspaceId, rows, MAX_FILES.ofList);
}

async function withFiles(
  on: Queryable,
  workspaceId: string,
  rows: readonly EvidenceRow[],
  most: number,
): Promise<EvidenceView[]> {
  const begun = rows.filter(({ revision }) => revision > 0);
  const ids = begun.map(({ id }) => id);
  const revisions = begun.map(({ revision }) => revision);
  const found =
    begun.length === 0
      ? []
      : await on.query<FileRow>(FILES, [workspaceId, ids, revisions, most + 1]);
  const files = groupBy(found, ({ evidence_id: evidenceId }) => evidenceId);
  return rows.map((row) => viewOf(row, files.get(row.id) ?? [], most));
}

export const codeOf = (number: string): string => `EV-${number}`;

const viewOf = (row: EvidenceRow, files: readonly FileRow[], most: number): EvidenceView => ({
  id: row.id,
  code: codeOf(row.number),
  type: row.type,
  status: row.status,
  description: row.description === "" ? undefined : row.description,
  controlId: row.control_id ?? undefined,
  requestedOf: row.requested_of ?? undefined,
  dueOn: row.due_on ?? undefined,
  expiresOn: row.expires_on ?? undefined,
  createdBy: row.created_by,
  submittedBy: row.submitted_by,
  submittedAt: row.submitted_at?.toISOString() ?? null,
  decidedBy: row.decided_by ?? undefined,
  decidedAt: row.decided_at?.toISOString(),
  reason: row.reason ?? undefined,
  revision: row.revision,
  approvedRevision: row.approved_revision,
  held: row.held,
  version: row.version,
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
  files: files.slice(0, most).map(fileView),
  ...(files.length > most ? { moreFiles: true } : {}),
});

const fileView = (row: FileRow): EvidenceFileView => ({
  id: row.id,
  name: row.name,
  kind: row.kind,
  contentType: row.content_type,
  claimedType: row.claimed_type ?? undefined,
  sizeBytes: row.size_bytes,
  sha256: row.sha256,
  state: row.state,
  error: row.error ?? undefined,
  revision: row.revision,
});

const KEPT = `f.id, f.evidence_id AS "evidenceId", f.name, f.state, f.error,
  f.content_type AS "contentType", f.size_bytes::float8 AS "sizeBytes",
  encode(f.sha256, 'hex') AS sha256, f.stored_file_id AS "storedFileId"`;

const FIND_FILE = `/* evidence.find-file */
SELECT ${KEPT} FROM evidence_files f
WHERE f.workspace_id = $1 AND f.evidence_id = $2 AND f.id = $3`;

const FIND_FILES = `/* evidence.find-files */
SELECT ${KEPT} FROM (SELECT DISTINCT id FROM unnest($2::uuid[]) AS k(id) ${fewRows("$2")}) k
JOIN evidence_files f ON f.workspace_id = $1 AND f.id = k.id`;

/** What is needed to hand a file out; of a file that is not stored the last four may be null. */
export interface KeptFile {
  id: string;
  evidenceId: string;
  name: string;
  state: FileState;
  error: string | null;
  contentType: string | null;
  sizeBytes: number | null;
  sha256: string | null;
  storedFileId: string | null;
}

/** Null when that evidence of the workspace has no such file, in whatever revision. */
export async function findFile(
  on: Queryable,
  { workspaceId, evidenceId, fileId }: { workspaceId: string; evidenceId: string; fileId: string },
): Promise<KeptFile | null> {
  const [row] = await on.query<KeptFile>(FIND_FILE, [workspaceId, evidenceId, fileId]);
  return row ?? null;
}

/** Those of the files that the workspace has, of whatever evidence and revision. */
export async function findFiles(
  on: Queryable,
  { workspaceId, fileIds }: { workspaceId: string; fileIds: readonly string[] },
): Promise<KeptFile[]> {
  return on.query<KeptFile>(FIND_FILES, [workspaceId, fileIds]);
}
