import { insertJobs, type Job, type JobHooks } from "../../jobs/index.ts";
import { fewRows, type Transaction } from "../../platform/index.ts";
import type { FileFault } from "./file-fault.ts";
import { fileIdOf } from "./file-rows.ts";
import { ALBUM_JOB, lockWithAlbums, tellSenders } from "./tell.ts";
import { faultText, textsIn } from "./texts.ts";

const FILES = `(
  SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS k(workspace_id, id) ${fewRows("$1")}
) k
WHERE f.workspace_id = k.workspace_id AND f.id = k.id`;

const GIVE_UP = `/* evidence.download-give-up */
UPDATE evidence_files f SET state = 'failed', error = $3, fault = $4
FROM ${FILES} AND f.state IN ('queued', 'downloading')
RETURNING f.workspace_id AS "workspaceId", f.id`;

/** Whatever comes of it now is news. What we wrote ourselves may be removed by now: then it stays as it is. */
const AGAIN = `/* evidence.download-again */
UPDATE evidence_files f SET state = 'queued', error = NULL, fault = NULL, told = false
FROM ${FILES} AND f.state = 'failed'
  AND (f.telegram_file_id IS NOT NULL OR f.written IS NOT NULL)`;

const GIVEN_UP: FileFault = { kind: "given-up" };

/** When people change a download by hand, its file says so, and its sender is told. */
export function createDownloadHooks(): JobHooks {
  const filesOf = (jobs: readonly Job[]) =>
    jobs
      .filter(({ kind }) => kind !== ALBUM_JOB)
      .map((job) => ({ workspaceId: job.workspaceId, id: fileIdOf(job) }));
  const columnsOf = (files: ReturnType<typeof filesOf>) => [
    files.map(({ workspaceId }) => workspaceId),
    files.map(({ id }) => id),
  ];
  const giveUp = async (tx: Transaction, jobs: Job[]) => {
    const files = filesOf(jobs);
    if (files.length === 0) return;
    await lockWithAlbums(tx, files);
    const ended = await tx.engine.query<{ workspaceId: string; id: string }>(GIVE_UP, [
      ...columnsOf(files),
      faultText(textsIn("en"), GIVEN_UP),
      JSON.stringify(GIVEN_UP),
    ]);
    await tellSenders(tx, { enqueueIn: insertJobs }, ended);
  };
  return {
    discarded: giveUp,
    cancelled: giveUp,
    retried: async (tx, jobs) => {
      const files = filesOf(jobs);
      if (files.length === 0) return;
      await lockWithAlbums(tx, files);
      await tx.engine.query(AGAIN, columnsOf(files));
    },
  };
}
