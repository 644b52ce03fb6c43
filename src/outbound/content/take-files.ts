import { DownloadError } from "../../platform/index.ts";
import type { UploadFile } from "../../telegram/index.ts";
import { type Content, MAX_FILE_BYTES, mediaOf } from "./content.ts";
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
  close(): Promise<void>;
}

export interface TakeFilesOptions {
  workspaceId: string;
  signal: AbortSignal;
  /** Which addresses may be dialled. Default: those of the public Internet. */
  mayDial?: (address: string) => boolean;
}

const NONE: TakenFiles = { list: [], close: async () => {} };

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

  /** One after the other, in their order. Throws `DownloadError`; nothing is left behind then. */
  async take(content: Content | null, options: TakeFilesOptions): Promise<TakenFiles> {
    const media = mediaOf(content);
    if (!media.some(({ file }) => "url" in file)) return { ...NONE, list: media.map(() => null) };
    const deadlineMs = performance.now() + this.downloadMs;
    const { workspaceId } = options;
    await this.place(workspaceId, options.signal);
    const spooled: SpooledFile[] = [];
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
        const one = await spool(urlSource(file.url, options.mayDial), {
          maxBytes: MAX_FILE_BYTES[type],
          timeoutMs: Math.max(1, deadlineMs - performance.now()),
          signal: options.signal,
          name: file.name,
        });
        spooled.push(one);
        list.push(one.upload);
      }
      return { list, close };
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
