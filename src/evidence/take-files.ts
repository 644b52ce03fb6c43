import { randomInt, randomUUID } from "node:crypto";
import { recordAudit } from "../audit/index.ts";
import type { JobId, Jobs, NewJob } from "../jobs/index.ts";
import { fewRows, type Transaction } from "../platform/index.ts";
import { keptName } from "./file-name.ts";
import { type FileRow, type FileSource, insertFiles, type StoredContent } from "./insert-files.ts";
import { type EvidenceKey, holdStanding, writeStanding } from "./standing.ts";
import { afterEvent, placeOfFile } from "./states.ts";
import { whoIs } from "./who.ts";

/** What puts jobs on their queue in the caller's transaction. */
export type JobSink = Pick<Jobs, "enqueueIn">;

/** A file that somebody sent in a chat, as its message tells of it. */
export interface NewFile extends FileSource {
  /** document, photo, video, voice, location, venue, link and so on. */
  kind: string;
  /** What stands in it, where the message brings no file (`placeFile`, `linksFile`). Absent: it is fetched. */
  written?: string;
  /** As the sender's device named it; null: it has no name. */
  name: string | null;
  claimedType: string | null;
  claimedBytes: number | null;
}

export interface TakenFile {
  fileId: string;
  /** False: the message was taken before, perhaps into other evidence. */
  isNew: boolean;
}

export interface FilesTaken extends EvidenceKey {
  /** `telegram:<user id>`, `person:<id>` or `key:<id>`. */
  submittedBy: string;
  files: readonly NewFile[];
  /** The job of the update in which they came. */
  causeId?: JobId;
}

/** Lanes of one bot: as many downloads of it go on apart from each other. */
const LANES = 4;

const KNOWN = `/* evidence.files-of-messages */
SELECT i.n, f.id FROM (
  SELECT * FROM unnest($2::int[], $3::uuid[], $4::bigint[], $5::bigint[], $6::text[])
    AS i(n, connector_id, chat_id, message_id, kind) ${fewRows("$2")}
) i
JOIN evidence_files f ON f.workspace_id = $1 AND f.connector_id = i.connector_id
  AND f.chat_id = i.chat_id AND f.message_id = i.message_id AND f.kind = i.kind`;

/**
 * Takes files into evidence: rows `queued` in its open revision, which is made if there is none, and the
 * jobs that fetch them, or store what is written already. A message is taken once, whatever evidence it is offered to again. In the caller's
 * transaction, with its entry; answers in the order of the files. Takes lanes at its end. Throws where the
 * workspace has no such evidence.
 */
export async function takeFiles(
  tx: Transaction,
  jobs: JobSink,
  { workspaceId, evidenceId, submittedBy, files, causeId }: FilesTaken,
): Promise<TakenFile[]> {
  if (files.length === 0) return [];
  const rows = files.map(queuedRow);
  const isNew = await addFiles(tx, { workspaceId, evidenceId }, submittedBy, rows);
  const known = isNew.size === files.length ? new Map() : await findKnown(tx, workspaceId, files);
  const jobsOfNew = rows.filter(({ id }) => isNew.has(id)).map(downloadOf(workspaceId, causeId));
  if (jobsOfNew.length > 0) await jobs.enqueueIn(tx, jobsOfNew);
  return rows.map(({ id }, n) =>
    isNew.has(id) ? { fileId: id, isNew: true } : { fileId: known.get(n) ?? id, isNew: false },
  );
}

function queuedRow(file: NewFile): FileRow {
  const { kind, name, claimedType, claimedBytes, written = null, ...source } = file;
  const { telegramUniqueId: uniqueId } = source;
  return {
    id: randomUUID(),
    state: "queued",
    name: keptName(name, { kind, uniqueId, contentType: claimedType }),
    kind,
    claimedType,
    claimedBytes,
    source,
    content: null,
    written,
    error: null,
  };
}

const downloadOf =
  (workspaceId: string, causeId: JobId | undefined) =>
  ({ id, source }: FileRow): NewJob => ({
    queue: "evidence",
    lane: `${source?.connectorId}/${randomInt(LANES)}`,
    workspaceId,
    kind: "download",
    payload: { fileId: id },
    // Whoever sent it waits to be told that it is here.
    urgent: true,
    causeId,
  });

/** Of those that are rows by now: by their place in the list. */
async function findKnown(
  tx: Transaction,
  workspaceId: string,
  files: readonly NewFile[],
): Promise<Map<number, string>> {
  const rows = await tx.engine.query<{ n: number; id: string }>(KNOWN, [
    workspaceId,
    files.map((_, n) => n),
    files.map(({ connectorId }) => connectorId),
    files.map(({ chatId }) => chatId),
    files.map(({ messageId }) => messageId),
    files.map(({ kind }) => kind),
  ]);
  return new Map(rows.map(({ n, id }) => [n, id]));
}

/** A file that came by the API, whose content is stored already. */
export interface UploadedFile extends EvidenceKey {
  fileId: string;
  submittedBy: string;
  /** Null: it has none. */
  name: string | null;
  claimedType: string | null;
  content: StoredContent;
  /** Why nobody is given it; null: everybody may have it. */
  quarantine: string | null;
}

/** Adds it as `takeFiles` does; false when the workspace has no such evidence any more. */
export async function addUpload(tx: Transaction, upload: UploadedFile): Promise<boolean> {
  const { workspaceId, evidenceId, fileId, claimedType, content, quarantine } = upload;
  const { contentType } = content;
  const row: FileRow = {
    id: fileId,
    state: quarantine === null ? "stored" : "quarantined",
    name: keptName(upload.name, { kind: "document", uniqueId: null, contentType }),
    kind: "document",
    claimedType,
    claimedBytes: null,
    source: null,
    content,
    written: null,
    error: quarantine,
  };
  if ((await holdStanding(tx, { workspaceId, evidenceId })) === null) return false;
  await addFiles(tx, { workspaceId, evidenceId }, upload.submittedBy, [row]);
  // As of a file that was fetched: the log holds its hash before anybody decides on it.
  await recordAudit(tx, {
    workspaceId,
    action: "evidence.file_ended",
    subjectId: evidenceId,
    details: {
      fileId,
      state: row.state,
      sha256: content.sha256.toString("hex"),
      sizeBytes: content.sizeBytes,
    },
  });
  return true;
}

/** Answers the ids of the rows that are new; of none of them is anything else changed. */
async function addFiles(
  tx: Transaction,
  key: EvidenceKey,
  submittedBy: string,
  files: readonly FileRow[],
): Promise<Set<string>> {
  const { workspaceId, evidenceId } = key;
  const who = await whoIs(tx, workspaceId, submittedBy);
  const standing = await holdStanding(tx, key);
  const next = standing && afterEvent(standing, "file");
  if (standing === null || next === null)
    throw new Error("files came to evidence that is not there");
  const place = placeOfFile(standing);
  const isNew = await insertFiles(tx.engine, key, { place, who, files });
  if (isNew.size === 0) return isNew;
  await writeStanding(tx, key, next);
  const source = files.find(({ id }) => isNew.has(id))?.source;
  await recordAudit(tx, {
    workspaceId,
    action: "evidence.files_taken",
    subjectId: evidenceId,
    details: {
      revision: place.revision,
      count: isNew.size,
      by: who.name,
      connectorId: source?.connectorId,
      chatId: source?.chatId,
    },
  });
  return isNew;
}
