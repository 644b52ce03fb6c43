import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

/**
 * Files at rest: encrypted and authenticated piece by piece, so that a file of gigabytes is sealed and
 * opened as a stream, and any part of it can be read without the rest.
 *
 *   4   "HGF1"
 *   16  salt, drawn for each sealing
 *   n × (up to 65 536 bytes of content, 16 of tag)
 *
 * The pieces' key is HKDF-SHA256 of the file's data key, the salt, and where the file belongs; it seals
 * this one sequence of pieces and nothing else, even where a file is sealed a second time with the
 * same data key after a crash. A piece's nonce is its number, then 1 for the last piece and 0 for the
 * others: so a piece that is altered, moved, left out, or of another file does not open, and neither
 * does a file that was cut off behind a piece, whose last one was sealed as one with more to come.
 * Only the last piece may be short; an empty file is one empty piece.
 */

export const FILE_KEY_BYTES = 32;

/** What opens a file: its data key, and where it belongs, e.g. its workspace and its row. */
export interface FileSeal {
  dataKey: Buffer;
  place: string;
}

/** A file that does not open: altered, cut off, or another one's. Names no content and no key. */
export class SealedFileError extends Error {
  override name = "SealedFileError";
}

const MAGIC = Buffer.from("HGF1", "latin1");
const SALT_BYTES = 16;
export const FILE_HEADER_BYTES = MAGIC.length + SALT_BYTES;
export const PIECE_BYTES = 65_536;
const TAG_BYTES = 16;
const SEALED_PIECE_BYTES = PIECE_BYTES + TAG_BYTES;

const piecesOf = (sizeBytes: number) => Math.max(1, Math.ceil(sizeBytes / PIECE_BYTES));

/** How many bytes a file of `sizeBytes` takes once it is sealed. */
export function sealedSizeBytes(sizeBytes: number): number {
  return FILE_HEADER_BYTES + sizeBytes + piecesOf(sizeBytes) * TAG_BYTES;
}

/** Seals a stream of content. Holds one piece at a time. */
export async function* sealFile(
  content: AsyncIterable<Uint8Array>,
  seal: FileSeal,
): AsyncGenerator<Buffer, void, undefined> {
  const salt = randomBytes(SALT_BYTES);
  const key = pieceKey(seal, salt);
  yield Buffer.concat([MAGIC, salt]);
  let number = 0;
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  let filled = 0;
  for await (const part of content) {
    for (let from = 0; from < part.length; ) {
      // A full piece is sealed only once more is there: the last one is sealed otherwise.
      if (filled === PIECE_BYTES) {
        yield sealPiece(key, number++, false, piece);
        filled = 0;
      }
      const taken = Math.min(part.length - from, PIECE_BYTES - filled);
      piece.set(part.subarray(from, from + taken), filled);
      filled += taken;
      from += taken;
    }
  }
  yield sealPiece(key, number, true, piece.subarray(0, filled));
}

/** Reads bytes `from` up to and without `to` of what is sealed. */
export type ReadSealed = (from: number, to: number) => Promise<AsyncIterable<Uint8Array>>;

/**
 * Opens a file, or its bytes `from` up to and without `to`. `sizeBytes` is the size of its content as it
 * was written down when it was sealed: by it the last piece is known without reading the others.
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
  const header = await exactly(await read(0, FILE_HEADER_BYTES), FILE_HEADER_BYTES);
  if (!header.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new SealedFileError("not a sealed file of a known format");
  }
  const key = pieceKey(seal, header.subarray(MAGIC.length));
  const begins = FILE_HEADER_BYTES + first * SEALED_PIECE_BYTES;
  const ends = Math.min(
    FILE_HEADER_BYTES + (last + 1) * SEALED_PIECE_BYTES,
    sealedSizeBytes(sizeBytes),
  );
  let number = first;
  for await (const sealed of inPieces(await read(begins, ends))) {
    const opened = openPiece(key, number, number === pieces - 1, sealed);
    const beginsAt = number * PIECE_BYTES;
    const wanted = opened.subarray(Math.max(0, from - beginsAt), Math.max(0, to - beginsAt));
    if (wanted.length > 0) yield wanted;
    number++;
  }
  if (number <= last) throw cutOff();
}

function pieceKey({ dataKey, place }: FileSeal, salt: Uint8Array): Buffer {
  if (dataKey.length !== FILE_KEY_BYTES) throw new Error("a file's key has 32 bytes");
  const info = Buffer.from(`heliograph file 1\0${place}`);
  return Buffer.from(hkdfSync("sha256", dataKey, salt, info, 32));
}

/** 7 bytes of nothing, 4 of the piece's number, and whether it is the last. */
function nonceOf(number: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(number, 7);
  nonce.writeUInt8(isLast ? 1 : 0, 11);
  return nonce;
}

function sealPiece(key: Buffer, number: number, isLast: boolean, content: Uint8Array): Buffer {
  const cipher = createCipheriv("aes-256-gcm", key, nonceOf(number, isLast));
  return Buffer.concat([cipher.update(content), cipher.final(), cipher.getAuthTag()]);
}

function openPiece(key: Buffer, number: number, isLast: boolean, sealed: Buffer): Buffer {
  if (sealed.length < TAG_BYTES) throw cutOff();
  const decipher = createDecipheriv("aes-256-gcm", key, nonceOf(number, isLast));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  try {
    const content = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
    return Buffer.concat([content, decipher.final()]);
  } catch {
    throw new SealedFileError(
      `piece ${number} does not open: it was altered or moved, or is of another file`,
    );
  }
}

const cutOff = () => new SealedFileError("the file is shorter than it was when it was sealed");

/** Sealed pieces, however the stream was cut on its way. */
async function* inPieces(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let piece = Buffer.allocUnsafe(SEALED_PIECE_BYTES);
  let filled = 0;
  for await (const part of stream) {
    for (let from = 0; from < part.length; ) {
      const taken = Math.min(part.length - from, SEALED_PIECE_BYTES - filled);
      piece.set(part.subarray(from, from + taken), filled);
      filled += taken;
      from += taken;
      if (filled === SEALED_PIECE_BYTES) {
        yield piece;
        piece = Buffer.allocUnsafe(SEALED_PIECE_BYTES);
        filled = 0;
      }
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

async function exactly(stream: AsyncIterable<Uint8Array>, count: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  const whole = Buffer.concat(parts);
  if (whole.length < count) throw cutOff();
  return whole.subarray(0, count);
}
