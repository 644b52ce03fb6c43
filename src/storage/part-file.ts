import { createHash, type Hash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import path from "node:path";
import { FolderInUse, type FolderLock, lockFolder, syncFolder } from "../platform/index.ts";
import { findPieces, readPiece } from "./part-pieces.ts";
import { PieceSealer } from "./piece-sealer.ts";
import { type FileSeal, newPieceKey, type PieceKey, pieceBegins } from "./sealed-piece.ts";

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
  /** Leaves it for later. */
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
/** Written at once. */
const PIECES_AT_ONCE = 8;
const SYNC_EVERY_BYTES = 64 * 2 ** 20;

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
    await handle?.close();
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
  /** Sealed, and not written yet. */
  private waiting: Buffer[] = [];
  /** Where the next piece goes. */
  private writeAt: number;
  /** On its way to the disk, while the next is sealed. */
  private writing: Promise<unknown> = Promise.resolve();
  /** The disk takes what is written meanwhile, so that the end need not wait for all of it. */
  private syncing: Promise<unknown> | undefined;
  private syncedAt = 0;
  private finished: { sizeBytes: number; sha256: Buffer } | undefined;
  private fault: unknown;
  private closed = false;

  private constructor(opened: Opened, by: PieceKey, sealer: PieceSealer, hash: Hash, size: number) {
    this.opened = opened;
    this.by = by;
    this.sealer = sealer;
    this.hash = hash;
    this.size = size;
    this.writeAt = pieceBegins(sealer.number);
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
      for (const piece of this.sealer.push(content)) {
        this.waiting.push(piece);
        if (this.waiting.length >= PIECES_AT_ONCE) await this.flush();
      }
    });
  }

  async finish(): Promise<{ sizeBytes: number; sha256: Buffer }> {
    this.finished ??= await this.guarded(async () => {
      this.waiting.push(this.sealer.end());
      await this.written();
      await this.syncing;
      await this.opened.handle.sync();
      await syncFolder(this.opened.own);
      return { sizeBytes: this.size, sha256: this.hash.digest() };
    });
    return this.finished;
  }

  async *read(): AsyncGenerator<Buffer, void, undefined> {
    await this.guarded(() => this.written());
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
    await this.opened.handle.close();
    await rm(this.opened.own, { recursive: true, force: true });
    await this.opened.lock.release();
  }

  async close(): Promise<void> {
    if (this.closed) return;
    // What is sealed already need not be fetched again.
    if (this.fault === undefined) await this.written().catch(() => {});
    this.closed = true;
    await this.opened.handle.close();
    await this.opened.lock.release();
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

  /** Begins to write what waits, once what went before is written. Fails where that did. */
  private async flush(): Promise<void> {
    await this.writing;
    const pieces = this.waiting;
    if (pieces.length === 0) return;
    this.waiting = [];
    const at = this.writeAt;
    this.writeAt += pieces.reduce((sum, { length }) => sum + length, 0);
    this.writing = writeAll(this.opened.handle, pieces, at);
    // Told to whoever writes next, or ends.
    this.writing.catch(() => {});
    this.syncNowAndThen(at);
  }

  private syncNowAndThen(writtenTo: number): void {
    if (this.syncing !== undefined || writtenTo - this.syncedAt < SYNC_EVERY_BYTES) return;
    this.syncedAt = writtenTo;
    const syncing = this.opened.handle.datasync();
    this.syncing = syncing;
    // A failure is told once, and never by the next one: all that follows fails.
    syncing.then(
      () => {
        this.syncing = undefined;
      },
      (error) => {
        this.fault ??= error;
      },
    );
  }

  private async written(): Promise<void> {
    await this.flush();
    await this.writing;
  }
}

async function writeAll(handle: FileHandle, buffers: Buffer[], at: number): Promise<void> {
  const total = buffers.reduce((sum, { length }) => sum + length, 0);
  let { bytesWritten } = await handle.writev(buffers, at);
  if (bytesWritten === total) return;
  // A disk that is nearly full takes a part of it, and then says so.
  for (const rest = Buffer.concat(buffers); bytesWritten < total; ) {
    const more = await handle.write(rest, bytesWritten, total - bytesWritten, at + bytesWritten);
    bytesWritten += more.bytesWritten;
  }
}
