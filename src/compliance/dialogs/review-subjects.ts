import { type Language, languageOf, type Queryable } from "../../platform/index.ts";
import type { ReviewData } from "./machine-compliance-review.ts";
import { namesOf } from "./names.ts";

/** Named on a card. */
const MAX_FILES = 10;

interface SubjectRow {
  id: string;
  number: string;
  type: string;
  description: string;
  code: string | null;
  title: string | null;
  revision: number;
  submitted_by: string;
  files: string[] | null;
  file_count: number;
  language_code: string | null;
}

const SUBJECTS = `/* dialogs.review-subjects */
SELECT e.id, e.number::text, e.type, e.description, c.code, c.title, r.number AS revision,
  r.submitted_by,
  (SELECT json_agg(f.name ORDER BY f.position, f.id) FROM (
    SELECT name, position, id FROM evidence_files
    WHERE evidence_id = e.id AND workspace_id = e.workspace_id AND revision = r.number
    ORDER BY position, id LIMIT ${MAX_FILES}) f) AS files,
  (SELECT count(*)::int FROM evidence_files
    WHERE evidence_id = e.id AND workspace_id = e.workspace_id AND revision = r.number) AS file_count,
  (SELECT language_code FROM contacts
    WHERE workspace_id = r.workspace_id AND telegram_user_id = r.submitted_account) AS language_code
FROM evidence e
JOIN evidence_revisions r ON r.workspace_id = e.workspace_id AND r.evidence_id = e.id
  AND r.number = e.revision
LEFT JOIN controls c ON c.workspace_id = e.workspace_id AND c.id = e.control_id
WHERE e.workspace_id = $1 AND e.id = ANY ($2::uuid[])
ORDER BY e.number`;

/** A piece of evidence as the card of its review shows it. */
export interface Subject {
  evidenceId: string;
  data: ReviewData;
  /** Of whoever handed it in. */
  language: Language;
}

/** The newest revisions of these pieces of evidence, the lowest number first. */
export async function readSubjects(
  on: Queryable,
  workspaceId: string,
  evidenceIds: readonly string[],
): Promise<Subject[]> {
  const rows = await on.query<SubjectRow>(SUBJECTS, [workspaceId, evidenceIds]);
  const senders = new Set(rows.map(({ submitted_by: sender }) => sender));
  const names = await namesOf(on, workspaceId, [...senders]);
  return rows.map(({ id: evidenceId, code, title, ...row }) => ({
    evidenceId,
    language: languageOf(row.language_code),
    data: {
      number: row.number,
      evidenceType: row.type,
      description: row.description,
      control: code === null ? null : { code, title: title ?? "" },
      revision: row.revision,
      files: row.files ?? [],
      fileCount: row.file_count,
      submittedBy: names.get(row.submitted_by) ?? null,
      waiting: 0,
      outcome: null,
    },
  }));
}
