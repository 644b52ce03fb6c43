import type { Readable } from "node:stream";

/**
 * What the rest of the code knows of the Bot API: one call, typed errors, always with a deadline.
 * Which library carries it is this room's secret.
 */

export interface CallOptions {
  /** Deadline of the whole call. Default 30 000 ms. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/**
 * A file of a call (Bot API: InputFile), given as a parameter, or as the `media` of an item of an
 * album. It travels as a part of the request, piece by piece: it is never in memory as a whole.
 */
export class UploadFile {
  /** As the person who receives it sees it. */
  readonly name: string;
  readonly sizeBytes: number;
  /** What it is said to be; undefined: bytes. */
  readonly contentType: string | undefined;
  /** From its beginning, each time it is called. */
  readonly open: () => Readable;

  constructor(file: {
    name: string;
    sizeBytes: number;
    contentType?: string;
    open: () => Readable;
  }) {
    this.name = file.name;
    this.sizeBytes = file.sizeBytes;
    this.contentType = file.contentType;
    this.open = file.open;
  }
}

export interface DownloadOptions {
  /** The first byte that is wanted. Default 0. */
  from?: number;
  signal?: AbortSignal;
  /** So long the server may give nothing while it is waited for. Default 30 000 ms. */
  stallMs?: number;
  /** Deadline of the whole. Default: none, since files may be large. */
  timeoutMs?: number;
}

/** A file on its way. Its content is to be read, or ended by the signal. */
export interface FileDownload {
  /** Of the whole file, as its server says; null: it does not. */
  sizeBytes: number | null;
  /** Where `content` begins: where it was asked to, or 0 where the server gives no parts. */
  from: number;
  /** Fails with `BotApiError`, also where the connection breaks off. */
  content: AsyncIterable<Buffer>;
}

/** One bot's Bot API. Every failure is a `BotApiError`. */
export interface BotApi {
  /** Calls a Bot API method and gives its `result`. */
  call<Result = unknown>(
    method: string,
    params?: Record<string, unknown>,
    options?: CallOptions,
  ): Promise<Result>;
  /**
   * Asks for a file by the `file_path` that `getFile` answered (Bot API: getFile). What is not there,
   * or not any more, is `not-found`.
   */
  download(path: string, options?: DownloadOptions): Promise<FileDownload>;
}

/** Makes the client of one bot; clients share their connections. The token never leaves it. */
export type BotApiFactory = (token: string) => BotApi;
