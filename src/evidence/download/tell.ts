import type { JobId, NewJob } from "../../jobs/index.ts";
import { type JobSink, type NewMessage, submitMessages } from "../../outbound/index.ts";
import { fewRows, groupBy, languageOf, type Transaction } from "../../platform/index.ts";
import { albumText, type EndedFile, fileText } from "./news-text.ts";
import { textsIn } from "./texts.ts";

/** A file, by its row. */
export interface FileKey {
  workspaceId: string;
  id: string;
}

/** A file, or one of those that came with it in an album. */
export interface NewsRow extends EndedFile {
  workspaceId: string;
  id: string;
  evidenceId: string;
  evidenceNumber: string;
  /** Null: the bot was disconnected, and nobody can be told. */
  connectorId: string | null;
  chatId: string;
  messageId: string;
  threadId: string | null;
  mediaGroupId: string | null;
  /** Of whoever handed it in, as their app says; null: it is not known. */
  languageCode: string | null;
  isEnded: boolean;
  told: boolean;
  /** Since it was taken in. */
  ageMs: number;
  /** Postgres's time, in ms since the epoch: by it jobs are due. */
  nowMs: number;
}

/**
 * The messages of an album come one after the other, and none says how many there are: nothing is said of
 * one before its newest file is here for so long.
 */
export const ALBUM_SETTLES_MS = 2_000;
const LOOK_MARGIN_MS = 50;

/** What is to be said, or looked at again. */
export interface Telling {
  /** The files that are told of; in the order of their messages. */
  files: NewsRow[];
  text: string;
  /** In ms from now; 0: now. */
  inMs: number;
}

/** Decides what is said of files that ended, and of their albums. Each is told of once. */
export function tellings(rows: readonly NewsRow[]): Telling[] {
  const found: Telling[] = [];
  for (const group of groupBy(rows, keyOf).values()) {
    const untold = group.filter(({ told }) => !told);
    const [first] = untold;
    if (first === undefined || first.connectorId === null) continue;
    if (group.some(({ isEnded }) => !isEnded)) continue;
    untold.sort((a, b) => Number(BigInt(a.messageId) - BigInt(b.messageId)));
    const [oldest = first] = untold;
    const texts = textsIn(languageOf(oldest.languageCode));
    const evidence = { id: oldest.evidenceId, number: oldest.evidenceNumber };
    if (oldest.mediaGroupId === null) {
      found.push({ files: untold, text: fileText(texts, oldest, evidence), inMs: 0 });
      continue;
    }
    const youngestMs = Math.min(...group.map(({ ageMs }) => ageMs));
    const inMs = Math.max(0, Math.ceil(ALBUM_SETTLES_MS - youngestMs));
    found.push({ files: untold, text: albumText(texts, untold, evidence), inMs });
  }
  return found;
}

function keyOf(row: NewsRow): string {
  if (row.mediaGroupId === null) return row.id;
  return [row.connectorId, row.chatId, row.mediaGroupId, row.evidenceId].join(" ");
}

/** The files $1, $2 and those that share an album with one of them. */
const WITH_ALBUMS = `ended AS MATERIALIZED (
  SELECT f.workspace_id, f.id, f.connector_id, f.chat_id, f.media_group_id, f.evidence_id
  FROM (
    SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS k(workspace_id, id) ${fewRows("$1")}
  ) k
  JOIN evidence_files f ON f.workspace_id = k.workspace_id AND f.id = k.id
), wanted AS MATERIALIZED (
  SELECT workspace_id, id FROM ended
  UNION
  SELECT o.workspace_id, o.id FROM ended e
  JOIN evidence_files o ON o.workspace_id = e.workspace_id AND o.connector_id = e.connector_id
    AND o.chat_id = e.chat_id AND o.media_group_id = e.media_group_id
    AND o.evidence_id = e.evidence_id
  WHERE e.media_group_id IS NOT NULL
)`;

/**
 * In one order, before any of them is changed: of two files of an album that end in the same moment the
 * second one sees that the first one has.
 */
const LOCK = `/* evidence.download-lock */
WITH ${WITH_ALBUMS}
SELECT f.id FROM wanted w
JOIN evidence_files f ON f.workspace_id = w.workspace_id AND f.id = w.id
ORDER BY f.workspace_id, f.id
FOR NO KEY UPDATE OF f`;

const columnsOf = (files: readonly FileKey[]) => [
  files.map(({ workspaceId }) => workspaceId),
  files.map(({ id }) => id),
];

/** Takes the rows of files that end, and of those that came with them, until the transaction ends. */
export async function lockWithAlbums(tx: Transaction, files: readonly FileKey[]): Promise<void> {
  if (files.length > 0) await tx.engine.query(LOCK, columnsOf(files));
}

const NEWS = `/* evidence.download-news */
WITH ${WITH_ALBUMS}
SELECT f.workspace_id AS "workspaceId", f.id, f.evidence_id AS "evidenceId",
  v.number AS "evidenceNumber", c.id AS "connectorId", f.chat_id AS "chatId",
  f.message_id AS "messageId", f.thread_id AS "threadId", f.media_group_id AS "mediaGroupId",
  f.state, f.state NOT IN ('queued', 'downloading') AS "isEnded", f.told, f.name,
  f.size_bytes::float8 AS "sizeBytes", encode(f.sha256, 'hex') AS sha256, f.fault,
  p.language_code AS "languageCode",
  (extract(epoch FROM clock_timestamp() - f.created_at) * 1000)::float8 AS "ageMs",
  (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS "nowMs"
FROM wanted w
JOIN evidence_files f ON f.workspace_id = w.workspace_id AND f.id = w.id
JOIN evidence v ON v.workspace_id = f.workspace_id AND v.id = f.evidence_id
LEFT JOIN connectors c ON c.workspace_id = f.workspace_id AND c.id = f.connector_id
  AND c.status <> 'removed'
LEFT JOIN contacts p ON p.workspace_id = f.workspace_id AND p.telegram_user_id = f.submitted_account
WHERE f.chat_id IS NOT NULL AND f.message_id IS NOT NULL`;

const TOLD = `/* evidence.download-told */
UPDATE evidence_files f SET told = true
FROM (
  SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS k(workspace_id, id) ${fewRows("$1")}
) k
WHERE f.workspace_id = k.workspace_id AND f.id = k.id`;

/** Looks at an album once more when it has settled. */
export const ALBUM_JOB = "album";

/**
 * Tells the senders of files that ended, whose rows `lockWithAlbums` holds: a message a file, or one for
 * all of an album, as a reply in the chat and the topic it came from. Takes lanes: last in a transaction.
 */
export async function tellSenders(
  tx: Transaction,
  jobs: JobSink,
  files: readonly FileKey[],
  causeId?: JobId,
): Promise<void> {
  if (files.length === 0) return;
  const rows = await tx.engine.query<NewsRow>(NEWS, columnsOf(files));
  const all = tellings(rows);
  const later = all.filter(({ inMs }) => inMs > 0).map(lookAgain);
  // Lanes of evidence come before those of bots.
  if (later.length > 0) await jobs.enqueueIn(tx, later);
  const now = all.filter(({ inMs }) => inMs === 0);
  if (now.length === 0) return;
  await tx.engine.query(TOLD, columnsOf(now.flatMap(({ files: told }) => told)));
  await submitMessages(
    tx,
    jobs,
    now.flatMap((telling) => messageOf(telling, causeId)),
  );
}

/**
 * Once in a second for all files that are there now. One that comes meanwhile makes another look. When it
 * is due is said in Postgres's time, as ages are: a look that came too early by a clock of ours could not
 * ask for another one in the same second, and nobody would ever be told.
 */
function lookAgain({ files, inMs }: Telling): NewJob {
  const { workspaceId, connectorId, id, ageMs, nowMs } = youngestOf(files);
  return {
    queue: "evidence",
    lane: `${connectorId}/0`,
    workspaceId,
    kind: ALBUM_JOB,
    payload: { fileId: id },
    uniqueKey: `album/${id}/${Math.ceil(ageMs / 1_000)}`,
    runAt: new Date(nowMs + inMs + LOOK_MARGIN_MS),
  };
}

function youngestOf(files: readonly NewsRow[]): NewsRow {
  const [youngest] = [...files].sort((a, b) => a.ageMs - b.ageMs);
  if (youngest === undefined) throw new Error("a telling is of a file");
  return youngest;
}

function messageOf({ files, text }: Telling, causeId: JobId | undefined): NewMessage[] {
  const [first] = files;
  if (first === undefined || first.connectorId === null) return [];
  return [
    {
      workspaceId: first.workspaceId,
      connectorId: first.connectorId,
      chatId: first.chatId,
      threadId: first.threadId,
      replyTo: first.messageId,
      text,
      format: "plain",
      // Names may look like addresses.
      hasLinkPreview: false,
      isAutomatic: true,
      priority: "high",
      causeId,
    },
  ];
}
