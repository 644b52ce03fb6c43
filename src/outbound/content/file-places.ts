import { DownloadError } from "../../platform/index.ts";

/** What all messages that bring files may take of this machine together. */
export interface FileLimits {
  /** Messages at once. */
  atOnce: number;
  /** Of these, at most so many of one workspace: its slow servers must not keep others' files waiting. */
  ofOneWorkspace: number;
  /** On the disk at once. */
  maxBytes: number;
  /** Nobody waits longer for a place, in ms. */
  waitMs: number;
}

/** Room for the files of one message. */
export interface FilePlace {
  /** So many bytes of what it was to have are not needed. */
  giveBack(bytes: number): void;
  /** It is over, and its files are gone. */
  close(): void;
}

/** Who waits for a place. */
interface Waiting {
  workspaceId: string;
  bytes: number;
  granted(): void;
}

/**
 * Places for messages whose files are here at once: as many, and as many bytes, as there may be. A
 * message takes room for the most that its files may have before the first of them comes, so that none
 * waits for room while it holds some. Of those that wait who has the fewest places is next, and nobody
 * passes it: what needs much room finds it.
 */
export class FilePlaces {
  private readonly limits: FileLimits;
  private free: number;
  private freeBytes: number;
  /** Places that each workspace has; none that has none. */
  private readonly taken = new Map<string, number>();
  private readonly waiting: Waiting[] = [];

  constructor(limits: FileLimits) {
    this.limits = limits;
    this.free = limits.atOnce;
    this.freeBytes = limits.maxBytes;
  }

  /**
   * Waits for a place for `bytes` at most; what may be more than all there is takes all. Throws
   * `DownloadError` where there is none in time.
   */
  async take(workspaceId: string, bytes: number, signal: AbortSignal): Promise<FilePlace> {
    const wanted = Math.min(bytes, this.limits.maxBytes);
    await this.wait({ workspaceId, bytes: wanted }, signal);
    let held = wanted;
    const giveBack = (some: number) => {
      const given = Math.min(some, held);
      held -= given;
      this.freeBytes += given;
      this.grant();
    };
    const close = () => {
      this.free++;
      const left = this.countOf(workspaceId) - 1;
      if (left > 0) this.taken.set(workspaceId, left);
      else this.taken.delete(workspaceId);
      giveBack(held);
    };
    return { giveBack, close };
  }

  private wait(of: Omit<Waiting, "granted">, signal: AbortSignal): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const leave = (error: DownloadError) => {
        const at = this.waiting.indexOf(entry);
        if (at < 0) return;
        this.waiting.splice(at, 1);
        end();
        reject(error);
        // It may have been in front of others that find room.
        this.grant();
      };
      const words = "Too many files are on their way at once.";
      const timer = setTimeout(() => leave(new DownloadError("late", words)), this.limits.waitMs);
      const abort = () => leave(new DownloadError("aborted", "The download was ended."));
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
      };
      const granted = () => {
        end();
        resolve();
      };
      const entry = { ...of, granted };
      this.waiting.push(entry);
      if (signal.aborted) return abort();
      signal.addEventListener("abort", abort, { once: true });
      this.grant();
    });
  }

  /** Gives what there is to those who are next. */
  private grant(): void {
    for (;;) {
      const { ofOneWorkspace } = this.limits;
      const able = this.waiting.filter((one) => this.countOf(one.workspaceId) < ofOneWorkspace);
      const [next] = able.sort((a, b) => this.countOf(a.workspaceId) - this.countOf(b.workspaceId));
      if (next === undefined || this.free < 1 || next.bytes > this.freeBytes) return;
      this.waiting.splice(this.waiting.indexOf(next), 1);
      this.free--;
      this.freeBytes -= next.bytes;
      this.taken.set(next.workspaceId, this.countOf(next.workspaceId) + 1);
      next.granted();
    }
  }

  private countOf(workspaceId: string): number {
    return this.taken.get(workspaceId) ?? 0;
  }
}
