import type { FileHandle } from "node:fs/promises";
import {
  cutOff,
  FILE_HEADER_BYTES,
  type FileSeal,
  openPiece,
  type PieceKey,
  pieceBegins,
  pieceKey,
  SEALED_PIECE_BYTES,
  SealedFileError,
} from "./sealed-piece.ts";

/** What of a file that was being written is right. */
export interface FoundPieces {
  by: PieceKey;
  /** Of the last piece found. */
  number: number;
  /** Content of the last piece found. */
  held: Buffer;
  /** Content of all of them. */
  sizeBytes: number;
}

/**
 * Reads a file that was being written, piece after piece, up to the first that is not whole, does not
 * open, or cannot be read by the disk. `onContent` is given their content. Null: there is not one.
 */
export async function findPieces(
  handle: FileHandle,
  seal: FileSeal,
  onContent: (content: Buffer) => void,
): Promise<FoundPieces | null> {
  const by = await orNull(async () => pieceKey(await readAt(handle, 0, FILE_HEADER_BYTES), seal));
  if (by === null) return null;
  let found: FoundPieces | null = null;
  let sizeBytes = 0;
  for (let number = 0; ; number++) {
    const at = pieceBegins(number);
    const sealed = await orNull(() => readAt(handle, at, SEALED_PIECE_BYTES));
    if (sealed === null) return found;
    const isWhole = sealed.length === SEALED_PIECE_BYTES;
    const full = isWhole ? await orNull(async () => openPiece(by, number, false, sealed)) : null;
    const held = full ?? (await orNull(async () => openPiece(by, number, true, sealed)));
    if (held === null) return found;
    onContent(held);
    sizeBytes += held.length;
    found = { by, number, held, sizeBytes };
    // The last of a file that was finished.
    if (full === null) return found;
  }
}

/** @throws SealedFileError */
export async function readPiece(
  handle: FileHandle,
  by: PieceKey,
  number: number,
  isLast: boolean,
): Promise<Buffer> {
  const sealed = await readAt(handle, pieceBegins(number), SEALED_PIECE_BYTES);
  if (!isLast && sealed.length < SEALED_PIECE_BYTES) throw cutOff();
  return openPiece(by, number, isLast, sealed);
}

/** So many bytes, or what there is of them. */
async function readAt(handle: FileHandle, at: number, count: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(count);
  let filled = 0;
  while (filled < count) {
    const { bytesRead } = await handle.read(buffer, filled, count - filled, at + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

async function orNull<Result>(work: () => Promise<Result>): Promise<Result | null> {
  try {
    return await work();
  } catch (error) {
    const isDisks = (error as NodeJS.ErrnoException).code === "EIO";
    if (error instanceof SealedFileError || isDisks) return null;
    throw error;
  }
}
