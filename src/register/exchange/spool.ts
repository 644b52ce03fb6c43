import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Readable } from "node:stream";

/**
 * A text on disk that nobody else finds: its file has no name any more, and is gone with whoever reads
 * it, or with the process.
 */
export interface Spool {
  readonly sizeBytes: number;
  write(text: string): Promise<void>;
  /** What was written is forgotten. */
  restart(): Promise<void>;
  /** All of it, once; the file goes with the stream. */
  read(): Readable;
  /** Without reading it. */
  drop(): Promise<void>;
}

export async function openSpool(): Promise<Spool> {
  const folder = await mkdtemp(path.join(tmpdir(), "heliograph-spool-"));
  const file = await open(path.join(folder, "text"), "wx+", 0o600).finally(() =>
    rm(folder, { recursive: true, force: true }),
  );
  let sizeBytes = 0;
  return {
    get sizeBytes() {
      return sizeBytes;
    },
    write: async (text) => {
      let rest = Buffer.from(text);
      while (rest.length > 0) {
        const { bytesWritten } = await file.write(rest, 0, rest.length, sizeBytes);
        sizeBytes += bytesWritten;
        rest = rest.subarray(bytesWritten);
      }
    },
    restart: async () => {
      sizeBytes = 0;
      await file.truncate(0);
    },
    read: () => file.createReadStream({ start: 0 }),
    drop: () => file.close(),
  };
}
