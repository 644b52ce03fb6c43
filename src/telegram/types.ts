/**
 * What the rest of the code knows of the Bot API: one call, typed errors, always with a deadline.
 * Which library carries it is this room's secret.
 */

export interface CallOptions {
  /** Deadline of the whole call. Default 30 000 ms. */
  timeoutMs?: number;
  signal?: AbortSignal;
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
