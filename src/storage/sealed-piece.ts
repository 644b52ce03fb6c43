import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

/**
 * A sealed file is a header and pieces, each encrypted and authenticated by itself:
 *
 *   4   "HGF1"
 *   16  salt
 *   n × 12 nonce · up to 65 536 of content · 16 tag      AES-256-GCM
 *
 * The pieces' key is HKDF-SHA256 of the file's data key, the salt, and where the file belongs. What is
 * authenticated beside a piece's content is the header, the piece's number and whether it is the last:
 * so no piece that is altered, moved, left out, added or of another file opens, and no file that was
 * cut off behind a piece. Nonces are drawn for each sealing: a piece that is sealed again after a
 * crash, maybe with other content, does not use one twice (docs/decisions/0030).
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
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
export const FILE_HEADER_BYTES = MAGIC.length + SALT_BYTES;
/** Of content; only the last piece has less, and an empty file is one empty piece. */
export const PIECE_BYTES = 65_536;
const PIECE_OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES;
export const SEALED_PIECE_BYTES = PIECE_BYTES + PIECE_OVERHEAD_BYTES;

/** How many pieces a file of `sizeBytes` has. */
export const piecesOf = (sizeBytes: number) => Math.max(1, Math.ceil(sizeBytes / PIECE_BYTES));

/** How many bytes a file of `sizeBytes` takes once it is sealed. */
export const sealedSizeBytes = (sizeBytes: number) =>
  FILE_HEADER_BYTES + sizeBytes + piecesOf(sizeBytes) * PIECE_OVERHEAD_BYTES;

/** Where a piece begins in the sealed file. */
export const pieceBegins = (number: number) => FILE_HEADER_BYTES + number * SEALED_PIECE_BYTES;

/** What seals and opens the pieces of one file. */
export interface PieceKey {
  header: Buffer;
  key: Buffer;
}

/** For a file that is begun: its header is new, and so is its pieces' key. */
export const newPieceKey = (seal: FileSeal): PieceKey =>
  pieceKey(Buffer.concat([MAGIC, randomBytes(SALT_BYTES)]), seal);

/** @throws SealedFileError for what is no header */
export function pieceKey(header: Buffer, { dataKey, place }: FileSeal): PieceKey {
  if (dataKey.length !== FILE_KEY_BYTES) throw new Error("a file's key has 32 bytes");
  const isKnown = header.length === FILE_HEADER_BYTES;
  if (!isKnown || !header.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new SealedFileError("not a sealed file of a known format");
  }
  const info = Buffer.from(`heliograph file 1\0${place}`);
  const salt = header.subarray(MAGIC.length);
  return { header, key: Buffer.from(hkdfSync("sha256", dataKey, salt, info, 32)) };
}

/** As it is written: a nonce, what is sealed, a tag, one behind the other. Nobody copies them together. */
export type SealedPiece = readonly Buffer[];

export function sealPiece(
  { header, key }: PieceKey,
  number: number,
  isLast: boolean,
  content: Uint8Array,
): SealedPiece {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(bound(header, number, isLast));
  const sealed = cipher.update(content);
  // It adds nothing: this mode has no padding.
  cipher.final();
  return [nonce, sealed, cipher.getAuthTag()];
}

/** @throws SealedFileError */
export function openPiece(
  { header, key }: PieceKey,
  number: number,
  isLast: boolean,
  sealed: Buffer,
): Buffer {
  if (sealed.length < PIECE_OVERHEAD_BYTES) throw cutOff();
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(bound(header, number, isLast));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  try {
    const content = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES));
    // It adds nothing, and throws for what is not authentic.
    decipher.final();
    return content;
  } catch {
    throw new SealedFileError(
      `piece ${number} does not open: it was altered or moved, or is of another file`,
    );
  }
}

export const cutOff = () =>
  new SealedFileError("the file is shorter than it was when it was sealed");

/** What a piece is sealed with beside its content. */
function bound(header: Buffer, number: number, isLast: boolean): Buffer {
  const place = Buffer.alloc(5);
  place.writeUInt32BE(number, 0);
  place.writeUInt8(isLast ? 1 : 0, 4);
  return Buffer.concat([header, place]);
}
