import { PIECE_BYTES, type PieceKey, type SealedPiece, sealPiece } from "./sealed-piece.ts";

/**
 * Cuts content into pieces and seals them. Holds the last piece back until more comes or the end is
 * told: the last one is sealed otherwise. Holds no more than that one.
 */
export class PieceSealer {
  private readonly by: PieceKey;
  private readonly piece = Buffer.allocUnsafe(PIECE_BYTES);
  private filled = 0;
  private next: number;

  /** `number` and `held`: where the sealing of a file goes on. */
  constructor(by: PieceKey, number = 0, held: Uint8Array = Buffer.alloc(0)) {
    this.by = by;
    this.next = number;
    this.piece.set(held);
    this.filled = held.length;
  }

  /** Of the piece that is held back; as many came before it. */
  get number(): number {
    return this.next;
  }

  /** What is held back: good until the next call. */
  get held(): Buffer {
    return this.piece.subarray(0, this.filled);
  }

  /** The pieces that are full by now, sealed one after the other as they are asked for. */
  *push(content: Uint8Array): Generator<SealedPiece, void, undefined> {
    for (let from = 0; from < content.length; ) {
      if (this.filled === PIECE_BYTES) {
        this.filled = 0;
        yield this.seal(this.piece);
      }
      // A whole one with more behind it is sealed where it lies.
      if (this.filled === 0 && content.length - from > PIECE_BYTES) {
        from += PIECE_BYTES;
        yield this.seal(content.subarray(from - PIECE_BYTES, from));
        continue;
      }
      const taken = Math.min(content.length - from, PIECE_BYTES - this.filled);
      this.piece.set(content.subarray(from, from + taken), this.filled);
      this.filled += taken;
      from += taken;
    }
  }

  /** The last piece. */
  end(): SealedPiece {
    return sealPiece(this.by, this.next, true, this.held);
  }

  private seal(whole: Uint8Array): SealedPiece {
    return sealPiece(this.by, this.next++, false, whole);
  }
}
