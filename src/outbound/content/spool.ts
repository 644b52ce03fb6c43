import { randomUUID } from "node:crypto";
import { type FileHandle, open, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { DownloadError } from "../../platform/index.ts";
import { UploadFile } from "../../telegram/index.ts";
import type { FileSource, OpenOptions } from "./file-source.ts";

export interface SpooledFile {
  /** May be read several times: what Telegram answers 429 is sent again. */
  upload: UploadFile;
  /** Gives the disk's room back. */
  close(): Promise<void>;
}

const PIECE_BYTES = 65_536;

/**
 * Copies a file to this machine's disk before a byte of it goes to Telegram: so its length is known,
 * a slow server keeps no call to Telegram open, and a call leaves at the moment that the pace chose
 * for it. The file has no name on the disk: it goes with its handle, and with the process, however
 * that ends.
 *
 * @param name what the file is called where its source has no name for it
 * @throws DownloadError
 */
export async function spool(
  source: FileSource,
  { name, ...options }: OpenOptions & { name?: string },
): Promise<SpooledFile> {
  const opened = await source.open(options);
  let handle: FileHandle | undefined;
  try {
    const path = join(tmpdir(), `heliograph-${randomUUID()}`);
    handle = await open(path, "wx+", 0o600);
    await unlink(path);
    await writeFile(handle, opened.stream, { signal: options.signal });
    const { size: sizeBytes } = await handle.stat();
    if (sizeBytes === 0) throw new DownloadError("refused", "The file is empty.");
    const upload = new UploadFile({
      name: name ?? opened.name ?? "file",
      sizeBytes,
      open: readerOf(handle, sizeBytes),
    });
    return { upload, close: closerOf(handle) };
  } catch (error) {
    opened.stream.destroy();
    await handle?.close();
    if (error instanceof DownloadError) throw error;
    if (options.signal.aborted) throw new DownloadError("aborted", "The download was ended.");
    throw new DownloadError("unavailable", "The file could not be kept on this machine's disk.");
  }
}

/** Never rejects: what was sent is sent, whatever becomes of the copy. */
const closerOf = (handle: FileHandle) => () => handle.close().catch(() => {});

/** Streams of a handle close it when they are destroyed; these leave it open for the next. */
const readerOf = (handle: FileHandle, sizeBytes: number) => () =>
  Readable.from(piecesOf(handle, sizeBytes), { objectMode: false });

async function* piecesOf(handle: FileHandle, sizeBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < sizeBytes; ) {
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    const { bytesRead } = await handle.read(piece, 0, PIECE_BYTES, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield piece.subarray(0, bytesRead);
  }
}
