import type { Readable } from "node:stream";
import { openDownload } from "../../platform/index.ts";

/** A file that was opened, to be read once. */
export interface OpenFile {
  /** To be read or destroyed. */
  stream: Readable;
  /** As its source says; null: it does not. */
  sizeBytes: number | null;
  /** Null: it has none. */
  name: string | null;
  contentType: string;
}

/** Where a file that is to be sent lies. */
export interface FileSource {
  /** Throws `DownloadError`, also while it is read: then by the stream. */
  open(options: OpenOptions): Promise<OpenFile>;
}

export interface OpenOptions {
  maxBytes: number;
  /** Deadline until its last byte, in ms. */
  timeoutMs: number;
  signal: AbortSignal;
}

/**
 * A file on the Internet. Telegram is never handed the address: it would fetch for us what only
 * others may see, and learn what is signed into it.
 *
 * @param mayDial which addresses may be dialled; default: those of the public Internet
 */
export function urlSource(url: string, mayDial?: (address: string) => boolean): FileSource {
  return { open: (options) => openDownload(url, { ...options, mayDial }) };
}
