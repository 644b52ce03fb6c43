import type { Readable } from "node:stream";
import { recordAudit } from "../../audit/index.ts";
import { Problem, type Transaction, type Transactor } from "../../platform/index.ts";
import { KINDS, type Kind } from "../kinds.ts";
import { countEntries, fileText } from "./export-pages.ts";
import type { FileFormat } from "./read-file.ts";
import { openSpool, type Spool } from "./spool.ts";

export interface ExportRequest {
  workspaceId: string;
  /** `all`: in JSON alone. */
  kind: Kind | "all";
  format: FileFormat;
}

export interface RegisterExport {
  /** Entries in the file. */
  count: number;
  /** The file. Destroyed with an error where it is not read to its end. */
  content: Readable;
}

/** How long the file may be read: it keeps a place on disk, and one of the few exports at once. */
const READER_TIMEOUT_MS = 600_000;
/**
 * How long the snapshot may be open. Nothing that was changed since is tidied up meanwhile, in any
 * table: after some ten thousand changes of a lane's row each further one takes twenty times as long.
 * So it is never the reader who keeps it open.
 */
const MAX_SNAPSHOT_MS = 90_000;
const MAX_FILE_BYTES = 2 ** 30;

const ONE_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";

export class ReaderTooSlow extends Error {
  override name = "ReaderTooSlow";
}

export interface ExportOptions {
  /** For the whole file. */
  readerTimeoutMs?: number;
}

/**
 * Writes a file of the register as it is now: all of it in one snapshot, a page at a time, onto disk.
 * Resolves once it is whole, no transaction is open any more, and its entry in the audit log is written.
 * `db` is the workspace's own. Whoever takes longer than ten minutes to read it is cut off. Throws
 * `Problem` 409 for more than fits into one file.
 */
export async function openExport(
  db: Transactor,
  request: ExportRequest,
  { readerTimeoutMs = READER_TIMEOUT_MS }: ExportOptions = {},
): Promise<RegisterExport> {
  const { workspaceId, kind } = request;
  const spool = await openSpool();
  try {
    const count = await db.transaction((tx) => writeWhole(tx, request, spool));
    // What was read was read, whatever becomes of the file.
    const details = { kind: kind === "all" ? kind : kind.plural, count };
    await recordAudit(db, { workspaceId, action: "register.exported", details });
    return { count, content: within(spool.read(), readerTimeoutMs) };
  } catch (error) {
    await spool.drop();
    throw error;
  }
}

async function writeWhole(
  tx: Transaction,
  { workspaceId, kind, format }: ExportRequest,
  spool: Spool,
): Promise<number> {
  const isAll = kind === "all";
  const kinds = isAll ? KINDS : [kind];
  const endsAtMs = performance.now() + MAX_SNAPSHOT_MS;
  // A transaction is tried again after some failures.
  await spool.restart();
  await tx.query(ONE_SNAPSHOT);
  const count = await countEntries(tx, workspaceId, kinds);
  for await (const text of fileText(tx, workspaceId, { kinds, isAll, format })) {
    await spool.write(text);
    if (spool.sizeBytes > MAX_FILE_BYTES || performance.now() > endsAtMs) throw tooMuch();
  }
  return count;
}

const tooMuch = () =>
  new Problem(
    409,
    "Too much for one file",
    "Ask for the register kind by kind, or page through it.",
  );

/** Destroyed with `ReaderTooSlow` where it has not been read to its end by then. */
function within(content: Readable, timeoutMs: number): Readable {
  const late = () => content.destroy(new ReaderTooSlow("the reader took too long"));
  const timer = setTimeout(late, timeoutMs);
  content.once("close", () => clearTimeout(timer));
  // It is told to who reads it.
  content.on("error", () => {});
  return content;
}
