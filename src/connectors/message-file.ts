import { extname } from "node:path";
import { Problem, shownSize } from "../platform/index.ts";
import { BotApiError, type FileDownload } from "../telegram/index.ts";
import { type BotApis, ConnectorRemoved } from "./bot-apis.ts";
import { isRefusal, telegramProblem } from "./prove-token.ts";
import type { CallNow } from "./test-connection.ts";

/**
 * Files of messages, straight from Telegram to whoever asks: nothing of them is stored here, and the
 * address they come from, which holds the bot's token, goes nowhere.
 */

/** A file on its way: to be read, or left to its deadline. */
export interface MessageFile {
  /** Null: Telegram does not say. */
  sizeBytes: number | null;
  /** Of the name that Telegram has it under, with its dot; empty: none that is harmless. */
  ending: string;
  /** Fails where the file breaks off, or is larger than it may be. Whoever stops reading ends it. */
  content: AsyncIterable<Buffer>;
}

export interface AskedFile {
  workspaceId: string;
  connectorId: string;
  /** Telegram's, of this bot. */
  fileId: string;
  /** As the message told it; null: it did not. */
  sizeBytes: number | null;
}

/** What is larger goes as evidence, which is fetched in its own time. */
export const MAX_MESSAGE_FILE_BYTES = 100 * 2 ** 20;
/** On their way at once in one process: each holds a connection on either side. */
const MAX_AT_ONCE = 20;
/** Of one workspace: somebody who reads slowly, or not at all, leaves room for the others'. */
const MAX_OF_ONE = 10;
const GET_FILE_MS = 10_000;
const STALL_MS = 15_000;
const WHOLE_MS = 10 * 60_000;

const problem = (status: number, title: string, detail: string, retryAfterS?: number) =>
  new Problem(
    status,
    title,
    detail,
    retryAfterS === undefined ? {} : { headers: { "retry-after": String(retryAfterS) } },
  );

const tooBig = () =>
  problem(
    409,
    "Too big",
    `The file is larger than what passes here (${shownSize(MAX_MESSAGE_FILE_BYTES)}).`,
  );

const gone = () =>
  problem(
    410,
    "Gone",
    "Telegram does not give this file to the bot any more; ask for it to be sent again.",
  );

/** What a failure of Telegram's means for who wants the file. */
function whyNot(error: unknown): unknown {
  if (error instanceof ConnectorRemoved) {
    const words = "The bot was disconnected: only a bot that got a file can ask for it.";
    return problem(409, "Bot disconnected", words);
  }
  if (!(error instanceof BotApiError)) return error;
  const { kind, method, description, retryAfterSeconds } = error;
  if (kind === "rate-limited") {
    const words = "Telegram asks this bot to wait; try again then.";
    return problem(503, "Telegram asks to wait", words, Math.min(retryAfterSeconds ?? 5, 3_600));
  }
  if (method === "getFile" && isRefusal(error)) {
    const words = "Telegram refuses the bot's token; replace it in the connector.";
    return problem(409, "Token refused", words);
  }
  if (/file is too big/i.test(description)) {
    const words =
      "The file is larger than Telegram's Bot API gives away (20 MB); a Bot API server of one's own gives it.";
    return problem(409, "Too big", words);
  }
  if (kind === "bad-request" || kind === "not-found") return gone();
  return telegramProblem(error, "The file could not be had");
}

/** Throws `Problem`, worded for who wants the file. */
export type OpenMessageFile = (asked: AskedFile) => Promise<MessageFile>;

/** So many are on their way at once, of all and of one workspace, and no more. */
export function createMessageFiles({
  botApis,
  callNow,
}: {
  botApis: BotApis;
  callNow: CallNow;
}): OpenMessageFile {
  let open = 0;
  const ofEach = new Map<string, number>();
  return async (asked) => {
    if ((asked.sizeBytes ?? 0) > MAX_MESSAGE_FILE_BYTES) throw tooBig();
    const { workspaceId } = asked;
    const own = ofEach.get(workspaceId) ?? 0;
    if (open >= MAX_AT_ONCE || own >= MAX_OF_ONE) {
      const words = "Too many files are on their way at this moment; try again shortly.";
      throw problem(503, "Busy", words, 2);
    }
    open++;
    ofEach.set(workspaceId, own + 1);
    const ending = new AbortController();
    const end = () => ending.abort();
    const deadline = setTimeout(end, WHOLE_MS).unref();
    const release = () => {
      clearTimeout(deadline);
      open--;
      const left = (ofEach.get(workspaceId) ?? 1) - 1;
      if (left === 0) ofEach.delete(workspaceId);
      else ofEach.set(workspaceId, left);
    };
    // However it ends, and once.
    ending.signal.addEventListener("abort", release, { once: true });
    try {
      const { path, download } = await fetchFile(asked, {
        botApis,
        callNow,
        signal: ending.signal,
      });
      const { sizeBytes } = download;
      if ((sizeBytes ?? 0) > MAX_MESSAGE_FILE_BYTES) throw tooBig();
      const name = extname(path);
      return {
        sizeBytes,
        ending: /^\.[A-Za-z0-9]{1,10}$/.test(name) ? name.toLowerCase() : "",
        content: bounded(download.content, end),
      };
    } catch (error) {
      end();
      throw whyNot(error);
    }
  };
}

async function fetchFile(
  { workspaceId, connectorId, fileId }: AskedFile,
  { botApis, callNow, signal }: { botApis: BotApis; callNow: CallNow; signal: AbortSignal },
): Promise<{ path: string; download: FileDownload }> {
  const call = { workspaceId, connectorId, chatId: null, method: "getFile" };
  const limits = { timeoutMs: GET_FILE_MS, signal };
  const file = (await callNow({ ...call, params: { file_id: fileId } }, limits)) as {
    file_path?: unknown;
    file_size?: unknown;
  };
  if (typeof file.file_size === "number" && file.file_size > MAX_MESSAGE_FILE_BYTES) throw tooBig();
  const path = typeof file.file_path === "string" ? file.file_path : "";
  if (path === "") throw gone();
  // Bot API: a server that runs with --local says where on its own disk a file lies.
  if (path.startsWith("/")) {
    const words =
      "The Bot API server keeps its files on its own disk, and gives them to evidence only.";
    throw problem(409, "Not over HTTP", words);
  }
  const api = await botApis.forConnector(connectorId);
  return { path, download: await api.download(path, { signal, stallMs: STALL_MS }) };
}

/** Whatever was announced, no more than may pass. */
async function* bounded(content: AsyncIterable<Buffer>, end: () => void): AsyncGenerator<Buffer> {
  let bytes = 0;
  try {
    for await (const chunk of content) {
      bytes += chunk.length;
      if (bytes > MAX_MESSAGE_FILE_BYTES) throw tooBig();
      yield chunk;
    }
  } catch (error) {
    throw whyNot(error);
  } finally {
    end();
  }
}
