import { type Language, languageOf, type Queryable } from "../../platform/index.ts";
import type { Place } from "./dialog.ts";
import type { ReviewData } from "./machine-compliance-review.ts";
import { namesOf } from "./names.ts";

/** People asked about one piece of evidence, and groups; whoever else may decide does so by the API. */
const MAX_PEOPLE = 20;
const MAX_GROUPS = 5;
/** Named on a card. */
const MAX_FILES = 10;

interface Key {
  workspaceId: string;
  evidenceId: string;
}

interface SubjectRow {
  number: string;
  type: string;
  description: string;
  control: string | null;
  revision: number;
  submitted_by: string;
  files: string[] | null;
  file_count: number;
  connector_id: string | null;
  language_code: string | null;
}

const SUBJECT = `/* dialogs.review-subject */
SELECT e.number::text, e.type, e.description, c.code || ' ' || c.title AS control, r.number AS revision,
  r.submitted_by,
  (SELECT json_agg(f.name ORDER BY f.position, f.id) FROM (
    SELECT name, position, id FROM evidence_files
    WHERE evidence_id = e.id AND workspace_id = e.workspace_id AND revision = r.number
    ORDER BY position, id LIMIT ${MAX_FILES}) f) AS files,
  (SELECT count(*)::int FROM evidence_files
    WHERE evidence_id = e.id AND workspace_id = e.workspace_id AND revision = r.number) AS file_count,
  (SELECT connector_id FROM evidence_files
    WHERE evidence_id = e.id AND workspace_id = e.workspace_id AND revision = r.number
      AND connector_id IS NOT NULL
    ORDER BY position, id LIMIT 1) AS connector_id,
  (SELECT language_code FROM contacts
    WHERE workspace_id = r.workspace_id AND telegram_user_id = r.submitted_account) AS language_code
FROM evidence e
JOIN evidence_revisions r ON r.workspace_id = e.workspace_id AND r.evidence_id = e.id
  AND r.number = e.revision
LEFT JOIN controls c ON c.workspace_id = e.workspace_id AND c.id = e.control_id
WHERE e.workspace_id = $1 AND e.id = $2`;

/** What is to be reviewed, as its card shows it, and who handed it in by which bot. */
export interface Subject {
  data: ReviewData;
  submittedBy: string;
  /** Null: it came by the API. */
  connectorId: string | null;
  /** Of whoever handed it in. */
  language: Language;
}

export async function readSubject(on: Queryable, key: Key): Promise<Subject | null> {
  const { workspaceId, evidenceId } = key;
  const [row] = await on.query<SubjectRow>(SUBJECT, [workspaceId, evidenceId]);
  if (row === undefined) return null;
  const { number, type: evidenceType, description, control, revision, file_count: fileCount } = row;
  const { submitted_by: submittedBy, connector_id: connectorId } = row;
  const names = await namesOf(on, workspaceId, [submittedBy]);
  return {
    data: {
      number,
      evidenceType,
      description,
      control,
      revision,
      files: row.files ?? [],
      fileCount,
      submittedBy: names.get(submittedBy) ?? null,
      outcome: null,
    },
    submittedBy,
    connectorId,
    language: languageOf(row.language_code),
  };
}

/** Where somebody is asked. */
export interface AskedPlace extends Place {
  /** "0": a group's. */
  userId: string;
  language: Language;
}

interface PlaceRow {
  connector_id: string;
  chat_id: string;
  user_id: string;
  language_code: string | null;
}

/** The bot that it came by; of what came by the API any that they talk to, the one last seen. */
const PEOPLE = `/* dialogs.reviewers */
SELECT c.connector_id, c.chat_id, p.telegram_user_id AS user_id,
  (SELECT language_code FROM contacts
    WHERE workspace_id = p.workspace_id AND telegram_user_id = p.telegram_user_id) AS language_code
FROM people p
CROSS JOIN LATERAL (
  SELECT c.connector_id, c.chat_id FROM connectors k
  JOIN chats c ON c.workspace_id = k.workspace_id AND c.connector_id = k.id
    AND c.chat_id = p.telegram_user_id
  WHERE k.workspace_id = p.workspace_id AND k.status = 'active' AND k.id = coalesce($2, k.id)
    AND c.reachable AND c.purpose IS DISTINCT FROM 'support'
  ORDER BY c.updated_at DESC, c.connector_id LIMIT 1
) c
WHERE p.workspace_id = $1 AND p.role = 'officer'
  AND $3 NOT IN ('person:' || p.id, 'telegram:' || p.telegram_user_id)
ORDER BY p.id LIMIT ${MAX_PEOPLE}`;

const GROUPS = `/* dialogs.review-groups */
SELECT c.connector_id, c.chat_id, 0 AS user_id, NULL AS language_code
FROM connectors k
CROSS JOIN LATERAL (
  SELECT c.connector_id, c.chat_id FROM chats c
  WHERE c.workspace_id = k.workspace_id AND c.connector_id = k.id
    AND c.linked AND c.purpose = 'compliance' AND c.reachable AND c.migrated_to IS NULL
  ORDER BY c.updated_at DESC, c.chat_id LIMIT ${MAX_GROUPS}
) c
WHERE k.workspace_id = $1 AND k.status = 'active' AND k.id = coalesce($2, k.id)
LIMIT ${MAX_GROUPS}`;

/**
 * Officers but whoever handed it in, and the groups for compliance; a bounded number of them. A group is
 * spoken to as whoever handed it in speaks.
 */
export async function placesToAsk(
  on: Queryable,
  workspaceId: string,
  { connectorId, submittedBy, language }: Omit<Subject, "data">,
): Promise<AskedPlace[]> {
  const people = await on.query<PlaceRow>(PEOPLE, [workspaceId, connectorId, submittedBy]);
  const groups = await on.query<PlaceRow>(GROUPS, [workspaceId, connectorId]);
  return [...people, ...groups].map((row) => ({
    workspaceId,
    connectorId: row.connector_id,
    chatId: row.chat_id,
    threadId: "0",
    userId: String(row.user_id),
    language: String(row.user_id) === "0" ? language : languageOf(row.language_code),
  }));
}
