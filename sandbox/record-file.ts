import { open } from "node:fs/promises";
import type { RecordEntry, SandboxRecord } from "./record.ts";

/**
 * The whole record as a file of JSON lines, for runs longer than memory should remember. Lines wait
 * for one write at a time and then go together.
 */
export interface RecordFile {
  /** What went wrong with the file, after which nothing more was written. */
  readonly problem: string | undefined;
  /** Writes what still waits. */
  close(): Promise<void>;
}

/** @throws Error when the file cannot be opened */
export async function keepRecordFile(record: SandboxRecord, path: string): Promise<RecordFile> {
  const handle = await open(path, "a", 0o600);
  let waiting: string[] = [];
  let problem: string | undefined;
  let writing: Promise<void> | undefined;
  const write = async () => {
    while (waiting.length > 0 && problem === undefined) {
      const lines = waiting.join("");
      waiting = [];
      await handle.appendFile(lines).catch((error: Error) => {
        problem = error.message;
      });
    }
    writing = undefined;
  };
  const stop = record.listen((entry: RecordEntry) => {
    if (problem !== undefined) return;
    waiting.push(`${JSON.stringify(entry)}\n`);
    writing ??= write();
  });
  return {
    get problem() {
      return problem;
    },
    async close() {
      stop();
      await writing;
      await handle.close();
    },
  };
}
