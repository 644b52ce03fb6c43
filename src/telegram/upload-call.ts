import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { BotApiError } from "./bot-api-error.ts";
import { errorOfAnswer, errorOfProgress, type FailedAnswer, type Progress } from "./error-map.ts";
import { multipartOf } from "./multipart.ts";
import { onceLeft } from "./request-left.ts";

export interface UploadSettings {
  apiRoot: string;
  secure: boolean;
  agent: http.Agent;
  maxAnswerBytes: number;
}

/**
 * A call with files. Telegraf is not asked: its multipart stream reads a file as fast as the disk
 * gives it, whatever Telegram takes (sandwich-stream ignores what `push` answers), so that it stands
 * in memory; and an error of a file's stream has no listener there, which ends the process. Here a
 * piece is read when there is room for it, and none before there is a connection: a file that breaks off
 * is never taken for a Telegram that cannot be reached, and nothing is read in vain while it cannot.
 *
 * As for other calls every failure is a `BotApiError` without token and content. What was not
 * uploaded to its last byte was certainly not sent.
 */
export async function uploadCall(
  { apiRoot, secure, agent, maxAnswerBytes }: UploadSettings,
  { token, method, params }: { token: string; method: string; params: Record<string, unknown> },
  { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
): Promise<unknown> {
  const body = multipartOf(params);
  const progress: Progress = { ended: "transport", left: false, complete: false };
  const ending = new AbortController();
  const end = (by: "deadline" | "caller") => {
    progress.ended = by;
    ending.abort();
  };
  const deadline = setTimeout(() => end("deadline"), timeoutMs);
  const abort = () => end("caller");
  if (signal?.aborted) abort();
  else signal?.addEventListener("abort", abort, { once: true });

  const url = new URL(`./bot${token}/${method}`, apiRoot);
  const headers = { "content-type": body.contentType, "content-length": body.sizeBytes };
  const options = { method: "POST", agent, headers, signal: ending.signal };
  const request = secure ? https.request(url, options) : http.request(url, options);
  onceLeft(request, secure, () => {
    progress.left = true;
    // What fails here ends the request, which says so itself.
    pipeline(Readable.from(body.chunks(), { objectMode: false }), request).catch(() => {});
  });
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      // It stays: an answer may come before everything was taken, and the rest then fails.
      request.on("error", reject);
      request.once("response", resolve);
    });
    progress.status = response.statusCode ?? 0;
    const text = await readAnswer(response, maxAnswerBytes, progress);
    const answer = asAnswer(text);
    if (answer !== null && progress.status < 500) {
      if (answer.ok === true) return answer.result;
      throw new BotApiError(errorOfAnswer(method, answer, progress.status));
    }
    throw new Error("no answer of a Bot API server");
  } catch (error) {
    if (error instanceof BotApiError) throw error;
    const code = (error as { code?: unknown } | null)?.code;
    progress.whole = body.isWhole;
    progress.redirected = progress.status !== undefined && isRedirect(progress.status);
    if (typeof code === "string" && /^[A-Z0-9_]{2,60}$/.test(code)) progress.code = code;
    throw new BotApiError(errorOfProgress(method, progress));
  } finally {
    clearTimeout(deadline);
    signal?.removeEventListener("abort", abort);
    // A connection with half a body, or half an answer, is of no use to the next call.
    if (!progress.complete || !body.isWhole) request.destroy();
  }
}

const isRedirect = (status: number): boolean => status >= 300 && status < 400;

async function readAnswer(
  response: IncomingMessage,
  maxAnswerBytes: number,
  progress: Progress,
): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxAnswerBytes) {
      progress.tooLarge = true;
      break;
    }
    chunks.push(chunk);
  }
  progress.complete = response.complete && progress.tooLarge !== true;
  return progress.complete ? Buffer.concat(chunks).toString("utf8") : "";
}

/** Null: not what a Bot API server says. */
function asAnswer(text: string): (FailedAnswer & { ok?: unknown; result?: unknown }) | null {
  try {
    const answer: unknown = JSON.parse(text);
    const isAnswer = typeof answer === "object" && answer !== null && "ok" in answer;
    return isAnswer ? answer : null;
  } catch {
    return null;
  }
}
