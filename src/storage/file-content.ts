import { createReadStream } from "node:fs";

const READ_BYTES = 256 * 1024;

/** A file of this machine in pieces; opened when the first is asked for, so that nobody leaves it open. */
export async function* contentOfFile(file: string): AsyncGenerator<Buffer, void, undefined> {
  yield* createReadStream(file, { highWaterMark: READ_BYTES });
}
