import type { UploadFile } from "../../telegram/index.ts";
import { type Content, MAX_FILE_BYTES, mediaOf } from "./content.ts";
import { FilePlaces } from "./file-places.ts";
import { urlSource } from "./file-source.ts";
import { type SpooledFile, spool } from "./spool.ts";

/** Longer than calls without files take: how long its files may take a message, in ms. */
export const FILES_MS = 120_000;
/** Of that, until they are all here; the rest is for the upload. */
const DOWNLOAD_MS = 80_000;
/** Messages of one process whose files are here at once, all of them and those of one workspace. */
const AT_ONCE = 24;
const OF_ONE_WORKSPACE = 16;
/** What their files may take of this machine's disk: four albums as large as they may be. */
const MAX_BYTES = 2 * 2 ** 30;

/** What of a message's files is here until its call is over. */
export interface TakenFiles {
  /** For each item of its media; null where Telegram has it. */
  list: (UploadFile | null)[];
  close(): Promise<void>;
}

export interface TakeFilesOptions {
  workspaceId: string;
  signal: AbortSignal;
  /** Which addresses may be dialled. Default: those of the public Internet. */
  mayDial?: (address: string) => boolean;
}

const NONE: TakenFiles = { list: [], close: async () => {} };

/** Takes the files of messages: not of too many at once, and not too much. */
export class FileTaker {
  private readonly places: FilePlaces;
  private readonly downloadMs: number;

  /** `maxBytes`: on this machine's disk at once. */
  constructor({
    atOnce = AT_ONCE,
    downloadMs = DOWNLOAD_MS,
    ofOneWorkspace = OF_ONE_WORKSPACE,
    maxBytes = MAX_BYTES,
  } = {}) {
    // Who waits for a place waits as long as a download may take.
    this.places = new FilePlaces({ atOnce, ofOneWorkspace, maxBytes, waitMs: downloadMs });
    this.downloadMs = downloadMs;
  }

  /** One after the other, in their order. Throws `DownloadError`; nothing is left behind then. */
  async take(content: Content | null, options: TakeFilesOptions): Promise<TakenFiles> {
    const media = mediaOf(content);
    const most = media.map(({ type, file }) => ("url" in file ? MAX_FILE_BYTES[type] : 0));
    const mostBytes = most.reduce((sum, bytes) => sum + bytes, 0);
    if (mostBytes === 0) return { ...NONE, list: media.map(() => null) };
    const deadlineMs = performance.now() + this.downloadMs;
    const place = await this.places.take(options.workspaceId, mostBytes, options.signal);
    const spooled: SpooledFile[] = [];
    const close = async () => {
      await Promise.all(spooled.map((one) => one.close()));
      place.close();
    };
    try {
      const list: (UploadFile | null)[] = [];
      for (const { type, file } of media) {
        if ("fileId" in file) {
          list.push(null);
          continue;
        }
        const maxBytes = MAX_FILE_BYTES[type];
        const one = await spool(urlSource(file.url, options.mayDial), {
          maxBytes,
          timeoutMs: Math.max(1, deadlineMs - performance.now()),
          signal: options.signal,
          name: file.name,
        });
        place.giveBack(maxBytes - one.upload.sizeBytes);
        spooled.push(one);
        list.push(one.upload);
      }
      return { list, close };
    } catch (error) {
      await close();
      throw error;
    }
  }
}
