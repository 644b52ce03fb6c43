import type { FileHandle } from "node:fs/promises";

/** Written at once. */
const PIECES_AT_ONCE = 8;
const SYNC_EVERY_BYTES = 64 * 2 ** 20;

/**
 * Writes pieces into a file one behind the other, some of them at once, while the next are made; the
 * disk takes what is written meanwhile, so that the end need not wait for all of it. A write or a sync
 * that fails in the background is told by the next call; whoever was told calls nothing more but `end`.
 */
export class WriteBehind {
  private readonly handle: FileHandle;
  private waiting: (readonly Buffer[])[] = [];
  /** Where the next piece goes. */
  private at: number;
  private writing: Promise<unknown> = Promise.resolve();
  /** Never rejects: what fails is kept in `syncFault`. */
  private syncing: Promise<void> | undefined;
  private syncedTo = 0;
  private syncFault: { error: unknown } | undefined;

  /** @param at where the first piece goes */
  constructor(handle: FileHandle, at: number) {
    this.handle = handle;
    this.at = at;
  }

  /** A piece in parts. Resolves when there is room for more. */
  async push(piece: readonly Buffer[]): Promise<void> {
    this.waiting.push(piece);
    if (this.waiting.length >= PIECES_AT_ONCE) await this.flush();
  }

  /** All of it can be read again. */
  async written(): Promise<void> {
    await this.flush();
    await this.writing;
  }

  /** All of it is on disk. */
  async synced(): Promise<void> {
    await this.written();
    await this.syncing;
    this.failAsSync();
    await this.sync(() => this.handle.sync());
  }

  /**
   * Nothing is under way any more. Answers whether what was written is to be believed: after a sync that
   * failed the kernel shows what it could not write until it drops it, and never tells of it again.
   */
  async end(): Promise<{ isSound: boolean }> {
    await this.writing.catch(() => {});
    await this.syncing;
    return { isSound: this.syncFault === undefined };
  }

  /** Begins to write what waits, once what went before is written. */
  private async flush(): Promise<void> {
    await this.writing;
    this.failAsSync();
    const buffers = this.waiting.flat();
    if (buffers.length === 0) return;
    this.waiting = [];
    const at = this.at;
    this.at += buffers.reduce((sum, { length }) => sum + length, 0);
    this.writing = writeAll(this.handle, buffers, at);
    // Told to whoever writes next, or ends.
    this.writing.catch(() => {});
    this.syncNowAndThen(at);
  }

  private syncNowAndThen(writtenTo: number): void {
    if (this.syncing !== undefined || writtenTo - this.syncedTo < SYNC_EVERY_BYTES) return;
    this.syncedTo = writtenTo;
    this.syncing = this.sync(() => this.handle.datasync())
      .catch(() => {})
      .finally(() => {
        this.syncing = undefined;
      });
  }

  private async sync(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.syncFault ??= { error };
      throw error;
    }
  }

  private failAsSync(): void {
    if (this.syncFault !== undefined) throw this.syncFault.error;
  }
}

/** @throws what the disk says, also of a part of it */
export async function writeAll(handle: FileHandle, buffers: Buffer[], at: number): Promise<void> {
  const total = buffers.reduce((sum, { length }) => sum + length, 0);
  let { bytesWritten } = await handle.writev(buffers, at);
  if (bytesWritten === total) return;
  // A disk that is nearly full takes a part of it, and then says so.
  for (const rest = Buffer.concat(buffers); bytesWritten < total; ) {
    const more = await handle.write(rest, bytesWritten, total - bytesWritten, at + bytesWritten);
    if (more.bytesWritten === 0) throw new Error("the disk takes no more, and does not say why");
    bytesWritten += more.bytesWritten;
  }
}
