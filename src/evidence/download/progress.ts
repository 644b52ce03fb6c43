/** Progress is written so often: after so many bytes, or so long. */
const EVERY_BYTES = 64 * 2 ** 20;
const EVERY_MS = 1_000;

/**
 * What is told of a file that is being fetched. The bytes do not wait for it: what the writing finds
 * out, that nobody wants the file any more, is told by the next `note`, or by `check`.
 */
export class Progress {
  private readonly write: (receivedBytes: number) => Promise<void>;
  private writtenBytes: number;
  private writtenMs = performance.now();
  private writing: Promise<void> | null = null;
  private fault: { error: unknown } | null = null;

  /** `from`: bytes that were there before. `write` throws where the file is not to go on. */
  constructor({ from, write }: { from: number; write(receivedBytes: number): Promise<void> }) {
    this.writtenBytes = from;
    this.write = write;
  }

  /** So much is there. Throws what the last writing threw. */
  readonly note = (receivedBytes: number): void => {
    this.check();
    const nowMs = performance.now();
    const isDue =
      receivedBytes - this.writtenBytes >= EVERY_BYTES || nowMs - this.writtenMs >= EVERY_MS;
    if (this.writing !== null || !isDue) return;
    this.writtenBytes = receivedBytes;
    this.writtenMs = nowMs;
    this.writing = this.write(receivedBytes)
      .catch((error) => {
        this.fault = { error };
      })
      .finally(() => {
        this.writing = null;
      });
  };

  /** Nothing is being written any more; what was found out is told by `check`. */
  async settled(): Promise<void> {
    await this.writing;
  }

  check(): void {
    if (this.fault !== null) throw this.fault.error;
  }
}
