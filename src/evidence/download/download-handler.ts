import type { ExternalHandler, Job, LaneRunner, Outcome } from "../../jobs/index.ts";
import type { DirectCall, JobSink } from "../../outbound/index.ts";
import {
  type Database,
  type LocalFiles,
  type Logger,
  type Metrics,
  systemClock,
} from "../../platform/index.ts";
import type { BotApi, CallOptions } from "../../telegram/index.ts";
import type { Vault } from "../vault.ts";
import { type DownloadAttempt, endDownloads } from "./end.ts";
import { DownloadFault, outcomeOfFault } from "./fault.ts";
import { beginDownloads, gotFurther } from "./file-rows.ts";
import type { Scanner } from "./scanner.ts";
import type { LargeFileSource, SourceOptions } from "./source.ts";
import { takeIn } from "./take-in.ts";
import { ALBUM_JOB } from "./tell.ts";

export interface DownloadOptions {
  db: Database;
  jobs: JobSink;
  vault: Vault;
  /** Calls that share the bot's pace and its holds. */
  callNow<Result>(call: DirectCall, limits: CallOptions): Promise<Result>;
  botApiFor(connectorId: string): Promise<BotApi>;
  /** Telegram refuses the bot's token. */
  onUnauthorized(connectorId: string, reason: string): Promise<void>;
  metrics: Metrics;
  log: Logger;
  /** Where the files of a Bot API server with `--local` lie. Default: they come over HTTP. */
  localFiles?: LocalFiles;
  /** Default: nobody looks at files. */
  scanner?: Scanner;
  /** For files that bots are not given. Default: they fail. */
  largeFiles?: LargeFileSource;
  /** So long Telegram may give nothing of a file, in ms. Default 30 000. */
  stallMs?: number;
}

const STALL_MS = 30_000;
const DONE: Outcome = { type: "complete" };

/**
 * Fetches what people hand in: a job a file, in any order, several of a bot at once. How far one is lies
 * with its part on this machine's disk and on its row; what became of it is written, and told to its
 * sender, in the transaction of its job's outcome.
 */
export function createDownloadHandler(options: DownloadOptions): ExternalHandler<DownloadAttempt> {
  const { db, log, jobs, onUnauthorized } = options;
  const source: SourceOptions = {
    callNow: options.callNow,
    botApiFor: options.botApiFor,
    localFiles: options.localFiles ?? null,
    largeFiles: options.largeFiles ?? null,
    stallMs: options.stallMs ?? STALL_MS,
    now: systemClock,
  };
  const takeOptions = { db, vault: options.vault, source, scanner: options.scanner ?? null, log };
  const files = options.metrics.counter({
    name: "heliograph_evidence_files_total",
    help: "Attempts at files that people handed in, by what became of them.",
    labels: ["outcome"],
  });
  const bytes = options.metrics.counter({
    name: "heliograph_evidence_bytes_total",
    help: "Bytes of files that came from Telegram and were stored.",
  });

  async function attempt(job: Job, own: DownloadAttempt, signal: AbortSignal): Promise<Outcome> {
    const { file } = own;
    const of = { fileId: file.id, evidenceId: file.evidenceId, connectorId: file.connectorId };
    try {
      own.taken = await takeIn(file, takeOptions, signal);
      const { finding, fetchedBytes } = own.taken;
      bytes.inc(fetchedBytes);
      files.inc({ outcome: finding === null ? "stored" : "quarantined" });
      if (finding !== null) log.warn({ ...of, finding }, "a file that was handed in is harmful");
      return DONE;
    } catch (error) {
      if (!(error instanceof DownloadFault)) {
        files.inc({ outcome: "unknown" });
        throw error;
      }
      files.inc({ outcome: error.kind });
      own.fault = error;
      if (error.kind === "token-refused") await disable(file.connectorId);
      return outcomeOfFault(error, job, systemClock());
    }
  }

  async function disable(connectorId: string): Promise<void> {
    try {
      await onUnauthorized(connectorId, "Telegram refuses the bot's token.");
    } catch (error) {
      log.warn({ err: error, connectorId }, "connector could not be disabled");
    }
  }

  const runner: LaneRunner<DownloadAttempt> = {
    run: async (job, signal, own) => {
      if (job.kind === ALBUM_JOB || own === null) return DONE;
      return attempt(job, own, signal);
    },
    orphan: async (job, { neverLeft }) => {
      if (neverLeft) return { outcome: { type: "pause", untilMs: 0, reason: "cut off" } };
      const outcome: Outcome = {
        type: "retry",
        errorClass: "WorkerDied",
        error: "the worker that fetched it died",
        afterMs: 0,
      };
      // A file that takes long outlives many workers: only one that gets nowhere may be what kills them.
      return { outcome, isInnocent: job.kind !== ALBUM_JOB && (await gotFurther(db, job)) };
    },
  };

  return {
    mode: "external",
    open: async () => runner,
    begin: async (tx, begun) => {
      const rows = await beginDownloads(
        tx,
        begun.filter(({ kind }) => kind !== ALBUM_JOB),
      );
      return new Map([...rows].map(([id, file]) => [id, { file, taken: null, fault: null }]));
    },
    finish: (tx, ends, { onlyEssential }) => endDownloads(tx, ends, { jobs, log, onlyEssential }),
  };
}
