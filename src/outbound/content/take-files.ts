import type { UploadFile } from "../../telegram/index.ts";
import { bringsFiles, type Content, MAX_FILE_BYTES, mediaOf } from "./content.ts";
import { type EvidenceFiles, type EvidenceUpload, evidenceUpload } from "./evidence-file.ts";
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
  /** Why one of them broke off while it was uploaded; null: none did. */
  broken(): Error | null;
  close(): Promise<void>;
}

export interface TakeFilesOptions {
  workspaceId: string;
  messageId: string;
  signal: AbortSignal;
  /** Which addresses may be dialled. Default: those of the public Internet. */
  mayDial?: (address: string) => boolean;
  /** Where files of evidence come from. */
  evidence?: EvidenceFiles;
}

const NONE: TakenFiles = { list: [], broken: () => null, close: async () => {} };

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

  /**
   * One after the other, in their order. Files of evidence are looked up, and read when they are
   * uploaded. Throws `DownloadError`, `CannotSend`, `EvidenceAway`; nothing is left behind then.
   */
  async take(content: Content | null, options: TakeFilesOptions): Promise<TakenFiles> {
    const media = mediaOf(content);
    if (!bringsFiles(content)) return { ...NONE, list: media.map(() => null) };
    const deadlineMs = performance.now() + this.downloadMs;
    const { workspaceId, messageId, signal, evidence } = options;
    // Files of evidence never lie on this machine's disk.
    const most = media.map(({ type, file }) => ("url" in file ? MAX_FILE_BYTES[type] : 0));
    const mostBytes = most.reduce((sum, bytes) => sum + bytes, 0);
    const place = await this.places.take(workspaceId, mostBytes, signal);
    const spooled: SpooledFile[] = [];
    const ofEvidence: EvidenceUpload[] = [];
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
        const timeoutMs = Math.max(1, deadlineMs - performance.now());
        const within = { maxBytes: MAX_FILE_BYTES[type], timeoutMs, signal };
        if ("evidenceFileId" in file) {
          if (evidence === undefined) throw new Error("no evidence is wired to what sends");
          const one = await evidenceUpload(evidence, file, { workspaceId, messageId, ...within });
          ofEvidence.push(one);
          list.push(one.upload);
          continue;
        }
        const source = urlSource(file.url, options.mayDial);
        const one = await spool(source, { ...within, name: file.name });
        place.giveBack(within.maxBytes - one.upload.sizeBytes);
        spooled.push(one);
        list.push(one.upload);
      }
      const broken = () =>
        ofEvidence.map((one) => one.broken()).find((why) => why !== null) ?? null;
      return { list, broken, close };
    } catch (error) {
      await close();
      throw error;
    }
  }
}
