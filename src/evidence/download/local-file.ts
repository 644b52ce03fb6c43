import { constants } from "node:fs";
import { type FileHandle, open, realpath } from "node:fs/promises";
import path from "node:path";
import type { LocalFiles } from "../../platform/index.ts";
import { DownloadFault } from "./fault.ts";

const READ_BYTES = 262_144;

export interface LocalFile {
  sizeBytes: number;
  /**
   * From byte `from` to its end; a piece is good until the next one is asked for. Fails where the file is
   * not as long any more as it was.
   */
  read(from: number): AsyncGenerator<Buffer, void, undefined>;
  close(): Promise<void>;
}

/**
 * A file of a Bot API server with `--local`, where `getFile` says that it lies (Bot API: "Using a Local Bot
 * API Server"). Nothing else ever names such a path. What lies outside of the server's own folder, where
 * that is known, is not read, however it is reached; a link, a folder, a device never is. The path holds
 * the bot's token: no error names it.
 */
export async function openLocalFile(file: string, { folder }: LocalFiles): Promise<LocalFile> {
  let handle: FileHandle;
  try {
    // Opened without waiting: a pipe of this name would keep it for ever.
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    handle = await open(await placeOf(file, folder), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    throw faultOf(error);
  }
  const found = await handle.stat();
  if (!found.isFile()) {
    await handle.close();
    throw new DownloadFault("unreadable", { detail: "not a file" });
  }
  const sizeBytes = found.size;
  return {
    sizeBytes,
    close: () => handle.close(),
    async *read(from) {
      // Two for all of it, one being read while the other is used: thousands of them would stand in
      // memory until they are collected.
      const length = Math.min(READ_BYTES, sizeBytes);
      let [ready, spare] = [Buffer.allocUnsafe(length), Buffer.allocUnsafe(length)];
      const readAt = (at: number) => {
        const reading = handle.read(spare, 0, Math.min(length, sizeBytes - at), at);
        // Told when it is asked for, which it may not be.
        reading.catch(() => {});
        return reading;
      };
      let next = readAt(from);
      for (let at = from; at < sizeBytes; ) {
        const { bytesRead } = await next;
        if (bytesRead === 0) throw new DownloadFault("changed", { detail: "shorter than it was" });
        [ready, spare] = [spare, ready];
        at += bytesRead;
        if (at < sizeBytes) next = readAt(at);
        yield ready.subarray(0, bytesRead);
      }
      const { size } = await handle.stat();
      if (size !== sizeBytes) throw new DownloadFault("changed", { detail: "longer than it was" });
    },
  };
}

/** Every link on the way is followed before it is asked where that leads. */
async function placeOf(file: string, folder: string | null): Promise<string> {
  if (folder === null) return file;
  const [place, root] = await Promise.all([realpath(file), realpath(folder)]);
  const within = path.relative(root, place);
  if (within === "" || within.startsWith("..") || path.isAbsolute(within)) {
    throw new DownloadFault("unreadable", { detail: "outside of TELEGRAM_LOCAL_FILES" });
  }
  return place;
}

function faultOf(error: unknown): DownloadFault {
  if (error instanceof DownloadFault) return error;
  const code = (error as NodeJS.ErrnoException).code ?? "unknown";
  if (code === "ENOENT") return new DownloadFault("not-there", { detail: "ENOENT" });
  return new DownloadFault("unreadable", { detail: code });
}
