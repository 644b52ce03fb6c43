import { recordAudit } from "../../audit/index.ts";
import type { EndedAttempt } from "../../jobs/index.ts";
import type { JobSink } from "../../outbound/index.ts";
import {
  fewRows,
  isLockTimeout,
  isUnavailable,
  type Logger,
  type Transaction,
} from "../../platform/index.ts";
import { type DownloadFault, FAULTS, UNKNOWN_WAITS } from "./fault.ts";
import type { FileFault } from "./file-fault.ts";
import { type DownloadRow, fileIdOf } from "./file-rows.ts";
import type { TakenIn } from "./take-in.ts";
import { ALBUM_JOB, lockWithAlbums, tellSenders } from "./tell.ts";
import { faultText, textsIn } from "./texts.ts";

/** What a drain keeps of an attempt. */
export interface DownloadAttempt {
  file: DownloadRow;
  /** Null: it did not come to that. */
  taken: TakenIn | null;
  fault: DownloadFault | null;
}

export type EndedDownload = EndedAttempt<DownloadAttempt>;

/** What is written about a file. */
export interface FileEnd {
  state: "queued" | "stored" | "failed" | "quarantined";
  /** In English, for the API. */
  error: string | null;
  /** Null: it is here, or tried again. */
  fault: FileFault | null;
  content: TakenIn["content"] | null;
}

/** What becomes of a file at an attempt's end; null: nothing is known of it that is not written. */
export function fileEnd({ own, state, applied }: EndedDownload): FileEnd | null {
  if (!applied) return null;
  const { taken = null, fault = null } = own ?? {};
  if (taken !== null) {
    const { content, finding } = taken;
    if (finding === null) return { state: "stored", error: null, fault: null, content };
    return { ...endedBy("quarantined", { kind: "harmful", about: finding }), content };
  }
  if (state === "retryable") {
    const error = fault?.waits ?? UNKNOWN_WAITS;
    return { state: "queued", error, fault: null, content: null };
  }
  if (fault !== null) {
    if (FAULTS[fault.kind].next === "forget") return null;
    return endedBy("failed", fault.ending);
  }
  return state === "discarded" ? endedBy("failed", { kind: "unknown" }) : null;
}

const endedBy = (state: FileEnd["state"], fault: FileFault): FileEnd => ({
  state,
  error: faultText(textsIn("en"), fault),
  fault,
  content: null,
});

/** It was in the store, and nobody referred to it within the hour. */
const CONTENT_GONE: FileFault = { kind: "content-gone" };

/** What is in the store, and stays there until this transaction has referred to it. */
const HOLD_CONTENT = `/* evidence.download-hold-content */
SELECT s.id FROM (
  SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS k(workspace_id, id) ${fewRows("$1")}
) k
JOIN stored_files s ON s.workspace_id = k.workspace_id AND s.id = k.id
WHERE s.state = 'stored'
ORDER BY s.workspace_id, s.id
FOR SHARE OF s`;

const END = `/* evidence.download-end */
WITH ends AS MATERIALIZED (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::bigint[],
    $7::bytea[], $8::text[], $9::jsonb[])
    AS e(workspace_id, id, state, error, stored_file_id, size_bytes, sha256, content_type, fault)
  ${fewRows("$1")}
)
UPDATE evidence_files f SET state = e.state, error = e.error, fault = e.fault,
  stored_file_id = e.stored_file_id, size_bytes = e.size_bytes, sha256 = e.sha256,
  content_type = e.content_type,
  written = CASE WHEN e.stored_file_id IS NULL THEN f.written END,
  stored_at = CASE WHEN e.stored_file_id IS NOT NULL THEN clock_timestamp() END
FROM ends e
WHERE f.workspace_id = e.workspace_id AND f.id = e.id AND f.state IN ('queued', 'downloading')
RETURNING f.workspace_id AS "workspaceId", f.id, f.evidence_id AS "evidenceId", f.state,
  f.size_bytes::float8 AS "sizeBytes", encode(f.sha256, 'hex') AS sha256`;

interface EndedRow {
  workspaceId: string;
  id: string;
  evidenceId: string;
  state: FileEnd["state"];
  sizeBytes: number | null;
  sha256: string | null;
}

export interface EndOptions {
  jobs: JobSink;
  log: Logger;
}

/**
 * Writes what became of files, with its entries, and tells their senders, in the transaction that records
 * the outcomes of their jobs. `onlyEssential`: who cannot be told without waiting for a lock is not.
 */
export async function endDownloads(
  tx: Transaction,
  ends: readonly EndedDownload[],
  { jobs, log, onlyEssential }: EndOptions & { onlyEssential: boolean },
): Promise<void> {
  const changes = ends.flatMap((end) => {
    const change = end.job.kind === ALBUM_JOB ? null : fileEnd(end);
    const { workspaceId } = end.job;
    return change === null ? [] : [{ ...change, workspaceId, id: fileIdOf(end.job) }];
  });
  const looks = ends
    .filter(({ job, state }) => job.kind === ALBUM_JOB && state === "completed")
    .map(({ job }) => ({ workspaceId: job.workspaceId, id: fileIdOf(job) }));
  await lockWithAlbums(tx, [...changes, ...looks]);
  const ended = changes.length === 0 ? [] : await write(tx, changes);
  await recordEnds(tx, ended);
  const told = [...ended.filter(({ state }) => state !== "queued"), ...looks];
  const causeId = ends.length === 1 ? ends[0]?.job.id : undefined;
  const tell = () => tellSenders(tx, jobs, told, causeId);
  if (onlyEssential) await unlessLocked(tx, tell, log);
  else await tell();
}

type Change = FileEnd & { workspaceId: string; id: string };

async function write(tx: Transaction, changes: readonly Change[]): Promise<EndedRow[]> {
  const held = await heldContent(tx, changes);
  const written = changes.map((change): Change => {
    const { content } = change;
    if (content === null || held.has(content.storedFileId)) return change;
    return { ...change, ...endedBy("failed", CONTENT_GONE) };
  });
  return tx.query<EndedRow>(END, [
    written.map(({ workspaceId }) => workspaceId),
    written.map(({ id }) => id),
    written.map(({ state }) => state),
    written.map(({ error }) => error),
    written.map(({ content }) => content?.storedFileId ?? null),
    written.map(({ content }) => content?.sizeBytes ?? null),
    written.map(({ content }) => content?.sha256 ?? null),
    written.map(({ content }) => content?.contentType ?? null),
    written.map(({ fault }) => (fault === null ? null : JSON.stringify(fault))),
  ]);
}

async function heldContent(tx: Transaction, changes: readonly Change[]): Promise<Set<string>> {
  const wanted = changes.flatMap(({ workspaceId, content }) =>
    content === null ? [] : [{ workspaceId, id: content.storedFileId }],
  );
  if (wanted.length === 0) return new Set();
  const rows = await tx.query<{ id: string }>(HOLD_CONTENT, [
    wanted.map(({ workspaceId }) => workspaceId),
    wanted.map(({ id }) => id),
  ]);
  return new Set(rows.map(({ id }) => id));
}

async function recordEnds(tx: Transaction, ended: readonly EndedRow[]): Promise<void> {
  const over = ended.filter(({ state }) => state !== "queued");
  await recordAudit(
    tx,
    ...over.map(({ workspaceId, evidenceId, id, state, sha256, sizeBytes }) => ({
      workspaceId,
      action: "evidence.file_ended" as const,
      subjectId: evidenceId,
      details: {
        fileId: id,
        state,
        sha256: sha256 ?? undefined,
        sizeBytes: sizeBytes ?? undefined,
      },
    })),
  );
}

/** That a file is here is known, whoever can be told of it. */
async function unlessLocked(
  tx: Transaction,
  tell: () => Promise<void>,
  log: Logger,
): Promise<void> {
  await tx.query("SAVEPOINT told");
  try {
    await tell();
    await tx.query("RELEASE SAVEPOINT told");
  } catch (error) {
    if (isUnavailable(error) || !isLockTimeout(error)) throw error;
    await tx.query("ROLLBACK TO SAVEPOINT told");
    log.error({ err: error }, "the sender of a file could not be told of it");
  }
}
