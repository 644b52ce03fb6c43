import { PassThrough, type Readable } from "node:stream";
import { recordAudit } from "../../audit/index.ts";
import type { Transaction, Transactor } from "../../platform/index.ts";
import { KINDS, type Kind } from "../kinds.ts";
import { countEntries, fileText } from "./export-pages.ts";
import type { FileFormat } from "./read-file.ts";

export interface ExportRequest {
  workspaceId: string;
  /** `all`: in JSON alone. */
  kind: Kind | "all";
  format: FileFormat;
}

export interface RegisterExport {
  /** Entries in the file. */
  count: number;
  /** The file. Destroyed with an error where it could not be read to its end. */
  content: Readable;
}

/** How long a reader may take nothing: a snapshot that stays open keeps the database from tidying up. */
const READER_TIMEOUT_MS = 30_000;
/** How long the whole file may take. */
const MAX_EXPORT_MS = 600_000;
/** Longer than a reader may take, so that it is the reader who is told. */
const MAX_IDLE_MS = 2 * READER_TIMEOUT_MS;

const ONE_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";
const PREPARE = `/* register.prepare-export */
SELECT set_config('idle_in_transaction_session_timeout', '${MAX_IDLE_MS}', true)`;

export class ReaderTooSlow extends Error {
  override name = "ReaderTooSlow";
}

export interface ExportOptions {
  readerTimeoutMs?: number;
}

/**
 * Writes a file of the register as it is now: all of it in one snapshot, a page at a time, as fast as
 * it is read. Resolves once it begins, and its entry in the audit log is written. `db` is the
 * workspace's own. A reader that goes away, or takes nothing for 30 s, ends it.
 */
export function openExport(
  db: Transactor,
  request: ExportRequest,
  { readerTimeoutMs = READER_TIMEOUT_MS }: ExportOptions = {},
): Promise<RegisterExport> {
  const { workspaceId, kind, format } = request;
  const isAll = kind === "all";
  const kinds = isAll ? KINDS : [kind];
  const content = new PassThrough();
  // What it is destroyed with is told to who reads it, and before anybody does by the promise.
  content.on("error", () => {});
  return new Promise((resolve, reject) => {
    let isBegun = false;
    const write = async (tx: Transaction) => {
      // A transaction is tried again after some failures: what was written would stand there twice.
      if (isBegun) throw new Error("the database ended the snapshot of an export");
      await tx.query(ONE_SNAPSHOT);
      await tx.query(PREPARE);
      const count = await countEntries(tx, workspaceId, kinds);
      // By itself: what was read was read, whatever becomes of the file.
      const details = { kind: isAll ? kind : kind.plural, count };
      await recordAudit(db, { workspaceId, action: "register.exported", details });
      isBegun = true;
      resolve({ count, content });
      const endsAtMs = performance.now() + MAX_EXPORT_MS;
      for await (const text of fileText(tx, workspaceId, { kinds, isAll, format })) {
        await pushed(content, text, Math.min(readerTimeoutMs, endsAtMs - performance.now()));
      }
    };
    db.transaction(write).then(
      () => content.end(),
      (error: Error) => {
        reject(error);
        content.destroy(error);
      },
    );
  });
}

/** Resolves once there is room for more. Rejects when the reader goes away, or takes too long. */
function pushed(content: PassThrough, text: string, timeoutMs: number): Promise<void> {
  if (content.destroyed) return Promise.reject(new ReaderTooSlow("the reader went away"));
  if (content.write(text)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const end = (error?: Error) => {
      clearTimeout(timer);
      content.off("drain", taken).off("close", gone);
      if (error === undefined) resolve();
      else reject(error);
    };
    const taken = () => end();
    const gone = () => end(new ReaderTooSlow("the reader went away"));
    const late = () => end(new ReaderTooSlow("the reader took nothing for too long"));
    const timer = setTimeout(late, Math.max(0, timeoutMs));
    content.on("drain", taken).on("close", gone);
  });
}
