import {
  cutOff,
  FILE_HEADER_BYTES,
  type FileSeal,
  openPiece,
  PIECE_BYTES,
  type PieceKey,
  pieceBegins,
  pieceKey,
  piecesOf,
  SEALED_PIECE_BYTES,
  sealedSizeBytes,
} from "./sealed-piece.ts";

/** Reads bytes `from` up to and without `to` of what is sealed. */
export type ReadSealed = (from: number, to: number) => Promise<AsyncIterable<Uint8Array>>;

/**
 * Opens a file, or its bytes `from` up to and without `to`, piece by piece. `sizeBytes` is the size of
 * its content as it was written down when it was sealed: by it the last piece is known without
 * reading the others.
 *
 * @throws SealedFileError at the first piece that does not open; what was given before it is right
 */
export async function* openFile(
  read: ReadSealed,
  seal: FileSeal,
  { sizeBytes, from = 0, to = sizeBytes }: { sizeBytes: number; from?: number; to?: number },
): AsyncGenerator<Buffer, void, undefined> {
  if (!(from >= 0 && from <= to && to <= sizeBytes)) throw new RangeError("no such part of a file");
  const pieces = piecesOf(sizeBytes);
  const first = Math.min(Math.floor(from / PIECE_BYTES), pieces - 1);
  const last = to === from ? first : Math.floor((to - 1) / PIECE_BYTES);
  const ends = Math.min(pieceBegins(last + 1), sealedSizeBytes(sizeBytes));
  const { by, sealed } = await readPieces(read, seal, first, ends);
  let number = first;
  try {
    for await (const piece of sealed) {
      const opened = openPiece(by, number, number === pieces - 1, piece);
      const beginsAt = number * PIECE_BYTES;
      const wanted = opened.subarray(Math.max(0, from - beginsAt), Math.max(0, to - beginsAt));
      if (wanted.length > 0) yield wanted;
      number++;
    }
  } finally {
    await sealed.return();
  }
  if (number <= last) throw cutOff();
}

/** From the first piece on, the header comes with it in one request. */
async function readPieces(read: ReadSealed, seal: FileSeal, first: number, ends: number) {
  if (first > 0) {
    const beginning = inLengths(await read(0, FILE_HEADER_BYTES), FILE_HEADER_BYTES);
    const by = await readKey(beginning, seal);
    await beginning.return();
    return { by, sealed: inLengths(await read(pieceBegins(first), ends), SEALED_PIECE_BYTES) };
  }
  const sealed = inLengths(await read(0, ends), FILE_HEADER_BYTES);
  return { by: await readKey(sealed, seal), sealed };
}

async function readKey(
  stream: AsyncGenerator<Buffer, void, undefined>,
  seal: FileSeal,
): Promise<PieceKey> {
  try {
    const { value, done } = await stream.next();
    if (done || value.length < FILE_HEADER_BYTES) throw cutOff();
    return pieceKey(value, seal);
  } catch (error) {
    await stream.return();
    throw error;
  }
}

/**
 * A stream in buffers of `firstBytes`, then of a sealed piece each, however it was cut on its way; the
 * last may be shorter.
 */
async function* inLengths(
  stream: AsyncIterable<Uint8Array>,
  firstBytes: number,
): AsyncGenerator<Buffer, void, undefined> {
  let buffer = Buffer.allocUnsafe(firstBytes);
  let filled = 0;
  for await (const part of stream) {
    for (let from = 0; from < part.length; ) {
      const taken = Math.min(part.length - from, buffer.length - filled);
      buffer.set(part.subarray(from, from + taken), filled);
      filled += taken;
      from += taken;
      if (filled < buffer.length) continue;
      yield buffer;
      buffer = Buffer.allocUnsafe(SEALED_PIECE_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled);
}
