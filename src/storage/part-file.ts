import { createHash, type Hash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import path from "node:path";
import { FolderInUse, type FolderLock, lockFolder, syncFolder } from "../platform/index.ts";
import { findPieces, readPiece } from "./part-pieces.ts";
import { PieceSealer } from "./piece-sealer.ts";
import { type FileSeal, newPieceKey, type PieceKey, pieceBegins } from "./sealed-piece.ts";
import { WriteBehind, writeAll } from "./write-behind.ts";

/**
 * A sealed file that is being written on this machine. What it holds survives the process: opened
 * again with the same seal it goes on behind the last piece that opens. One process at a time has it.
 */
export interface PartFile {
  /** Content that is in it already: where a download goes on. */
  readonly sizeBytes: number;
  /** The sealed file, for who puts it where it belongs once it is finished. */
  readonly file: string;
  /** Resolves when there is room for more. After a failure nothing but `close` and `discard` works. */
  append(content: Uint8Array): Promise<void>;
  /** All of it is on disk when this answers. */
  finish(): Promise<{ sizeBytes: number; sha256: Buffer }>;
  /** Its content again, as far as it was appended. */
  read(): AsyncIterable<Buffer>;
  /** Nothing of it is left. */
  discard(): Promise<void>;
  /** Leaves it for later; of what may not be on the disk, since that failed to take it, nothing. */
  close(): Promise<void>;
}

export interface PartPlace {
  folder: string;
  /** Of the part in its folder: an id. */
  name: string;
  seal: FileSeal;
}

/** Another process, or this one, has the part open. */
export class PartInUse extends Error {
  override name = "PartInUse";
}

const CONTENT = "content";
/** Where a part lies: in a folder of its own, whose lock is the part's. */
export const partFolder = (folder: string, name: string) => path.join(folder, name);

/**
 * Takes a part's lock.
 * @throws PartInUse
 */
export async function lockPart(folder: string, name: string): Promise<FolderLock> {
  try {
    return await lockFolder(partFolder(folder, name));
  } catch (error) {
    throw error instanceof FolderInUse ? new PartInUse(`part ${name} is being written`) : error;
  }
}

/**
 * Opens a part, or begins it. What does not open with this seal, or is cut off, is begun anew.
 * @throws PartInUse
 */
export async function openPartFile({ folder, name, seal }: PartPlace): Promise<PartFile> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = await lockPart(folder, name);
  const own = partFolder(folder, name);
  let handle: FileHandle | undefined;
  try {
    const file = path.join(own, CONTENT);
    handle = await open(file, constants.O_RDWR | constants.O_CREAT, 0o600);
    return await SealedPart.resume({ own, file, handle, lock }, seal);
  } catch (error) {
    await handle?.close().catch(() => {});
    await lock.release();
    throw error;
  }
}

interface Opened {
  own: string;
  file: string;
  handle: FileHandle;
  lock: FolderLock;
}

class SealedPart implements PartFile {
  private readonly opened: Opened;
  private readonly by: PieceKey;
  private readonly sealer: PieceSealer;
  private readonly hash: Hash;
  private size: number;
  private readonly disk: WriteBehind;
  private finished: { sizeBytes: number; sha256: Buffer } | undefined;
  private fault: unknown;
  private closed = false;

  private constructor(opened: Opened, by: PieceKey, sealer: PieceSealer, hash: Hash, size: number) {
    this.opened = opened;
    this.by = by;
    this.sealer = sealer;
    this.hash = hash;
    this.size = size;
    this.disk = new WriteBehind(opened.handle, pieceBegins(sealer.number));
  }

  static async resume(opened: Opened, seal: FileSeal): Promise<SealedPart> {
    const { handle } = opened;
    const hash = createHash("sha256");
    const found = await findPieces(handle, seal, (content) => void hash.update(content));
    if (found === null) {
      const by = newPieceKey(seal);
      await handle.truncate(0);
      await writeAll(handle, [by.header], 0);
      return new SealedPart(opened, by, new PieceSealer(by), hash, 0);
    }
    // The last piece found is held back again: whether it is the last of all is not known.
    const { by, number, held, sizeBytes } = found;
    await handle.truncate(pieceBegins(number));
    return new SealedPart(opened, by, new PieceSealer(by, number, held), hash, sizeBytes);
  }

  get sizeBytes(): number {
    return this.size;
  }

  get file(): string {
    return this.opened.file;
  }

  async append(content: Uint8Array): Promise<void> {
    if (this.finished !== undefined) throw new Error("the part is finished");
    await this.guarded(async () => {
      this.hash.update(content);
      this.size += content.length;
      for (const piece of this.sealer.push(content)) await this.disk.push(piece);
    });
  }

  async finish(): Promise<{ sizeBytes: number; sha256: Buffer }> {
    this.finished ??= await this.guarded(async () => {
      await this.disk.push(this.sealer.end());
      await this.disk.synced();
      await syncFolder(this.opened.own);
      return { sizeBytes: this.size, sha256: this.hash.digest() };
    });
    return this.finished;
  }

  async *read(): AsyncGenerator<Buffer, void, undefined> {
    await this.guarded(() => this.disk.written());
    const isFinished = this.finished !== undefined;
    const { handle } = this.opened;
    for (let number = 0; number < this.sealer.number; number++) {
      yield await readPiece(handle, this.by, number, false);
    }
    const last = isFinished
      ? await readPiece(handle, this.by, this.sealer.number, true)
      : Buffer.from(this.sealer.held);
    if (last.length > 0) yield last;
  }

  async discard(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.letGo({ isKept: false });
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    // What is sealed already need not be fetched again.
    if (this.fault === undefined) await this.disk.written().catch(() => {});
    const { isSound } = await this.disk.end();
    await this.letGo({ isKept: isSound });
  }

  /** Whatever fails: the next one can have the part. */
  private async letGo({ isKept }: { isKept: boolean }): Promise<void> {
    const { handle, own, lock } = this.opened;
    try {
      await handle.close();
    } finally {
      try {
        if (!isKept) await rm(own, { recursive: true, force: true });
      } finally {
        await lock.release();
      }
    }
  }

  /** After a failure nobody knows what is on disk: only opening it again tells. */
  private async guarded<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.closed) throw new Error("the part is closed");
    if (this.fault !== undefined) throw this.fault;
    try {
      return await work();
    } catch (error) {
      this.fault = error;
      throw error;
    }
  }
}
