import { DownloadError } from "../../platform/index.ts";
import type { UploadFile } from "../../telegram/index.ts";
import { bringsFiles, type Content, MAX_FILE_BYTES, mediaOf } from "./content.ts";
import { type EvidenceFiles, type EvidenceUpload, evidenceUpload } from "./evidence-file.ts";
import { urlSource } from "./file-source.ts";
import { type SpooledFile, spool } from "./spool.ts";

/** Longer than calls without files take: how long its files may take a message, in ms. */
export const FILES_MS = 120_000;
/** Of that, until they are all here; the rest is for the upload. */
const DOWNLOAD_MS = 80_000;
/** Messages of one process whose files are here at once: they take room on its disk. */
const AT_ONCE = 24;
/** Of these, at most so many of one workspace: its slow servers must not keep others' files waiting. */
const OF_ONE_WORKSPACE = 16;

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

/** Who waits for a place. */
interface Waiting {
  workspaceId: string;
  granted(): void;
}

/** Takes the files of messages, of not too many at once; of those that wait, who has the fewest is next. */
export class FileTaker {
  private free: number;
  /** Places that each workspace has; none that has none. */
  private readonly taken = new Map<string, number>();
  private readonly waiting: Waiting[] = [];
  private readonly downloadMs: number;
  private readonly ofOneWorkspace: number;

  constructor({
    atOnce = AT_ONCE,
    downloadMs = DOWNLOAD_MS,
    ofOneWorkspace = OF_ONE_WORKSPACE,
  } = {}) {
    this.free = atOnce;
    this.downloadMs = downloadMs;
    this.ofOneWorkspace = ofOneWorkspace;
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
    await this.place(workspaceId, options.signal);
    const spooled: SpooledFile[] = [];
    const ofEvidence: EvidenceUpload[] = [];
    const close = async () => {
      this.give(workspaceId);
      await Promise.all(spooled.map((one) => one.close()));
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

  /** Waits for a place, as long as a download may take. */
  private async place(workspaceId: string, signal: AbortSignal): Promise<void> {
    if (this.mayTake(workspaceId)) {
      this.grant(workspaceId);
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const leave = (error: DownloadError) => {
        const at = this.waiting.indexOf(entry);
        if (at < 0) return;
        this.waiting.splice(at, 1);
        end();
        reject(error);
      };
      const words = "Too many files are on their way at once.";
      const timer = setTimeout(() => leave(new DownloadError("late", words)), this.downloadMs);
      const abort = () => leave(new DownloadError("aborted", "The download was ended."));
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
      };
      const granted = () => {
        end();
        resolve();
      };
      const entry = { workspaceId, granted };
      this.waiting.push(entry);
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
    });
  }

  private mayTake(workspaceId: string): boolean {
    return this.free > 0 && this.countOf(workspaceId) < this.ofOneWorkspace;
  }

  private grant(workspaceId: string): void {
    this.free--;
    this.taken.set(workspaceId, this.countOf(workspaceId) + 1);
  }

  private give(workspaceId: string): void {
    this.free++;
    const left = this.countOf(workspaceId) - 1;
    if (left > 0) this.taken.set(workspaceId, left);
    else this.taken.delete(workspaceId);
    const able = this.waiting.filter((one) => this.mayTake(one.workspaceId));
    const [next] = able.sort((a, b) => this.countOf(a.workspaceId) - this.countOf(b.workspaceId));
    if (next === undefined) return;
    this.waiting.splice(this.waiting.indexOf(next), 1);
    this.grant(next.workspaceId);
    next.granted();
  }

  private countOf(workspaceId: string): number {
    return this.taken.get(workspaceId) ?? 0;
  }
}
