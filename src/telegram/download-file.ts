import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import { BotApiError } from "./bot-api-error.ts";
import { errorOfAnswer, errorOfProgress, type FailedAnswer, type Progress } from "./error-map.ts";
import { onceLeft } from "./request-left.ts";
import type { DownloadOptions, FileDownload } from "./types.ts";

export interface DownloadSettings {
  apiRoot: string;
  secure: boolean;
  agent: http.Agent;
}

/** What errors name instead of a method. */
const METHOD = "file";
const STALL_MS = 30_000;
/** What a server says where it gives no file is short. */
const MAX_REFUSAL_BYTES = 65_536;
const MAX_PATH = 4_096;

/**
 * The bytes of a file that `getFile` named (Bot API: "The file can then be downloaded via the link
 * https://api.telegram.org/file/bot<token>/<file_path>"). The only place where that link exists: it
 * holds the token, so redirects are not followed, and nothing of it is in an error.
 *
 * Answers once the first bytes may come. Throws `BotApiError`, here and while the content is read.
 */
export async function downloadFile(
  { apiRoot, secure, agent }: DownloadSettings,
  { token, path }: { token: string; path: string },
  { from = 0, signal, stallMs = STALL_MS, timeoutMs }: DownloadOptions = {},
): Promise<FileDownload> {
  const url = linkOf(apiRoot, token, path);
  const progress: Progress = { ended: "transport", left: false, complete: false };
  const ending = new AbortController();
  const deadline =
    timeoutMs === undefined ? undefined : setTimeout(() => end("deadline"), timeoutMs);
  const abort = () => end("caller");
  const forget = () => {
    clearTimeout(deadline);
    signal?.removeEventListener("abort", abort);
  };
  const end = (by: "deadline" | "caller") => {
    forget();
    progress.ended = by;
    ending.abort();
  };
  if (signal?.aborted) abort();
  else signal?.addEventListener("abort", abort, { once: true });
  /** Only what is asked of the server counts: however long what came is looked at. */
  const within = async <Value>(step: Promise<Value>): Promise<Value> => {
    const stalled = setTimeout(() => end("deadline"), stallMs);
    try {
      return await step;
    } finally {
      clearTimeout(stalled);
    }
  };

  // What is encoded could be small on its way and large here, and its ranges are others.
  const headers: Record<string, string> = { "accept-encoding": "identity" };
  if (from > 0) headers.range = `bytes=${from}-`;
  const options = { agent, headers, signal: ending.signal };
  const request = secure ? https.get(url, options) : http.get(url, options);
  onceLeft(request, secure, () => {
    progress.left = true;
  });
  const over = () => {
    forget();
    // A connection with half an answer is of no use to the next request.
    if (!progress.complete) request.destroy();
  };
  const failure = (error: unknown): BotApiError => {
    if (error instanceof BotApiError) return error;
    const code = (error as { code?: unknown } | null)?.code;
    if (typeof code === "string" && /^[A-Z0-9_]{2,60}$/.test(code)) progress.code = code;
    return new BotApiError(errorOfProgress(METHOD, progress));
  };

  async function* contentOf(response: IncomingMessage): AsyncGenerator<Buffer, void, undefined> {
    const chunks = (response as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await within(chunks.next());
        if (next.done === true) break;
        yield next.value;
      }
      if (!response.complete) throw new Error("broken off");
      progress.complete = true;
    } catch (error) {
      throw failure(error);
    } finally {
      over();
    }
  }

  try {
    const response = await within(
      new Promise<IncomingMessage>((resolve, reject) => {
        // Both stay: what happens to the connection later is told by the answer's stream.
        request.on("error", reject);
        request.once("response", resolve);
      }),
    );
    progress.status = response.statusCode ?? 0;
    const found = placeOf(response, from);
    if (found === null) throw await within(refusalOf(response, progress));
    return { ...found, content: contentOf(response) };
  } catch (error) {
    over();
    throw failure(error);
  }
}

/** Of a part of `getFile`'s answer, which may be anybody's if the server is. */
function linkOf(apiRoot: string, token: string, path: string): URL {
  const parts = path.split("/");
  const leadsElsewhere = parts.some((part) => part === "." || part === "..");
  try {
    if (path === "" || path.length > MAX_PATH || leadsElsewhere) throw new Error("no path");
    return new URL(`${apiRoot}/file/bot${token}/${parts.map(encodeURIComponent).join("/")}`);
  } catch {
    throw new BotApiError({
      kind: "bad-answer",
      method: METHOD,
      status: 0,
      description: "the file's path is none",
      sent: "no",
    });
  }
}

/** Which bytes an answer holds; null: none of the file's. */
function placeOf(
  { statusCode, headers }: IncomingMessage,
  from: number,
): Omit<FileDownload, "content"> | null {
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding !== "identity") return null;
  if (statusCode === 200) return { sizeBytes: asCount(headers["content-length"]), from: 0 };
  if (statusCode !== 206) return null;
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers["content-range"] ?? "");
  if (range === null || Number(range[1]) !== from) return null;
  return { sizeBytes: asCount(range[2]), from };
}

function asCount(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** What the server says instead. Proxies of one's own say it in pages; the status is enough. */
async function refusalOf(response: IncomingMessage, progress: Progress): Promise<BotApiError> {
  const status = progress.status ?? 0;
  if (status >= 300 && status < 400) progress.redirected = true;
  if (status < 400 || status >= 500) {
    progress.complete = status < 400;
    const error = new BotApiError(errorOfProgress(METHOD, progress));
    // Its connection is let go of, whatever else it says.
    progress.complete = false;
    return error;
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_REFUSAL_BYTES) break;
    chunks.push(chunk);
  }
  const said = asAnswer(Buffer.concat(chunks).toString("utf8"));
  return new BotApiError(errorOfAnswer(METHOD, said ?? { description: `HTTP ${status}` }, status));
}

/** Null: not what a Bot API server says. */
function asAnswer(text: string): (FailedAnswer & { ok?: unknown }) | null {
  try {
    const answer: unknown = JSON.parse(text);
    return typeof answer === "object" && answer !== null && "ok" in answer ? answer : null;
  } catch {
    return null;
  }
}
