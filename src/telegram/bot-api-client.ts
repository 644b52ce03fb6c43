import http from "node:http";
import https from "node:https";
import { Telegram, TelegramError } from "telegraf";
import { BotApiError } from "./bot-api-error.ts";
import { downloadFile } from "./download-file.ts";
import { errorOfAnswer, errorOfProgress } from "./error-map.ts";
import { hasFiles } from "./multipart.ts";
import { RequestWatch } from "./request-watch.ts";
import type { BotApi, BotApiFactory } from "./types.ts";
import { uploadCall } from "./upload-call.ts";

export interface BotApiClientOptions {
  /** Bot API server, e.g. `https://api.telegram.org`. */
  apiRoot: string;
  /** Deadline of a call that names none. Default 30 000; Telegraf's own is 500 s. */
  timeoutMs?: number;
  /** Largest answer that is read. Default 8 MB: getUpdates gives at most 100 updates. */
  maxAnswerBytes?: number;
  /** Most connections to the Bot API server at once, all bots together. Default 256. */
  maxSockets?: number;
  /**
   * A connection that nobody used for so long is closed. Default 4 000: a server closes it too at some
   * time (Node's own after five seconds), and a call that leaves at that moment is lost, nobody knows where.
   */
  idleMs?: number;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_MAX_ANSWER_BYTES = 8_000_000;
const DEFAULT_MAX_SOCKETS = 256;
const DEFAULT_IDLE_MS = 4_000;

/** `callApi` of the bare client: methods newer than Telegraf's types pass through. */
interface UntypedClient {
  callApi(
    method: string,
    payload: Record<string, unknown>,
    options: { signal: AbortSignal },
  ): Promise<unknown>;
}

/**
 * Makes Bot API clients that share their keep-alive connections. Telegraf's bare client carries
 * the calls (no bot, no middleware, no webhook replies, whose results would be lost). Idle
 * connections keep no process alive, so there is nothing to close.
 */
export function createBotApiFactory(options: BotApiClientOptions): BotApiFactory {
  const secure = new URL(options.apiRoot).protocol === "https:";
  const maxSockets = options.maxSockets ?? DEFAULT_MAX_SOCKETS;
  // The agent lets go of a free socket at its timeout; of a call it is the watch that knows the deadline.
  const timeout = options.idleMs ?? DEFAULT_IDLE_MS;
  const keepAlive = { keepAlive: true, keepAliveMsecs: 10_000, maxSockets, timeout };
  const agent = secure ? new https.Agent(keepAlive) : new http.Agent(keepAlive);
  // Files are long on their way: calls do not wait for their connections.
  const files = secure ? new https.Agent(keepAlive) : new http.Agent(keepAlive);
  const settings = {
    apiRoot: options.apiRoot,
    secure,
    agent,
    files,
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    maxAnswerBytes: options.maxAnswerBytes ?? DEFAULT_MAX_ANSWER_BYTES,
  };
  return (token) => botApi(token, settings);
}

interface ClientSettings {
  apiRoot: string;
  secure: boolean;
  agent: http.Agent;
  /** For downloads. */
  files: http.Agent;
  timeoutMs: number;
  maxAnswerBytes: number;
}

function botApi(token: string, settings: ClientSettings): BotApi {
  return {
    download: (path, options) => {
      const { apiRoot, secure, files: agent } = settings;
      return downloadFile({ apiRoot, secure, agent }, { token, path }, options);
    },
    call: async <Result>(
      method: string,
      params: Record<string, unknown> = {},
      { timeoutMs = settings.timeoutMs, signal }: { timeoutMs?: number; signal?: AbortSignal } = {},
    ): Promise<Result> => {
      if (hasFiles(params)) {
        const call = { token, method, params };
        return (await uploadCall(settings, call, { timeoutMs, signal })) as Result;
      }
      const watch = new RequestWatch(settings.agent, settings);
      // One client a call: it is three assignments, and the agent is how a call is watched.
      const client = new Telegram(token, { apiRoot: settings.apiRoot, webhookReply: false });
      // Telegraf drops the agent of an http:// root in its constructor.
      client.options.agent = watch.agent;

      const controller = new AbortController();
      let ended: "deadline" | "caller" | "transport" = "transport";
      const end = (by: "deadline" | "caller") => {
        ended = by;
        if (!watch.end()) controller.abort();
      };
      const deadline = setTimeout(() => end("deadline"), timeoutMs);
      const abort = () => end("caller");
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort, { once: true });
      try {
        return (await (client as unknown as UntypedClient).callApi(method, params, {
          signal: controller.signal,
        })) as Result;
      } catch (error) {
        throw toBotApiError(error, method, watch, ended);
      } finally {
        clearTimeout(deadline);
        signal?.removeEventListener("abort", abort);
        watch.end();
      }
    },
  };
}

/** The one place where the library's errors are looked at; nothing of them goes further. */
function toBotApiError(
  error: unknown,
  method: string,
  watch: RequestWatch,
  ended: "deadline" | "caller" | "transport",
): BotApiError {
  // Above 500 Telegraf reads no body and makes an answer up from the status line.
  if (error instanceof TelegramError && (watch.status ?? 0) < 500) {
    return new BotApiError(errorOfAnswer(method, error.response, watch.status ?? 0));
  }
  const code = (error as { code?: unknown } | null)?.code;
  return new BotApiError(
    errorOfProgress(method, {
      ended,
      left: watch.left,
      status: watch.status,
      complete: watch.complete,
      redirected: watch.redirected,
      tooLarge: watch.tooLarge,
      code: typeof code === "string" && /^[A-Z0-9_]{2,60}$/.test(code) ? code : undefined,
    }),
  );
}
