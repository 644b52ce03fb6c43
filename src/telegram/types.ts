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
  /** From its beginning, each time it is called. */
  readonly open: () => Readable;

  constructor(file: { name: string; sizeBytes: number; open: () => Readable }) {
    this.name = file.name;
    this.sizeBytes = file.sizeBytes;
    this.open = file.open;
  }
}

/** One bot's Bot API. Every failure is a `BotApiError`. */
export interface BotApi {
  /** Calls a Bot API method and gives its `result`. */
  call<Result = unknown>(
    method: string,
    params?: Record<string, unknown>,
    options?: CallOptions,
  ): Promise<Result>;
}

/** Makes the client of one bot; clients share their connections. The token never leaves it. */
export type BotApiFactory = (token: string) => BotApi;
