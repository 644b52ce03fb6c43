import path from "node:path";
import type { DirectCall } from "../../outbound/index.ts";
import type { LocalFiles } from "../../platform/index.ts";
import type { BotApi, CallOptions } from "../../telegram/index.ts";
import { DownloadFault } from "./fault.ts";
import { openLocalFile } from "./local-file.ts";
import { faultOfTelegram } from "./telegram-fault.ts";

/** Which file is wanted, as its message tells. */
export interface WantedFile {
  workspaceId: string;
  connectorId: string;
  chatId: string;
  messageId: string;
  /** Bot API: `file_id`. */
  telegramFileId: string;
  claimedBytes: number | null;
}

/** Content on its way. Whoever does not read it to its end closes it. */
export interface OpenSource {
  /** Of the whole file; null: nobody says. */
  sizeBytes: number | null;
  /** Where `content` begins: not after the byte that was asked for. */
  from: number;
  /** Fails with `DownloadFault`. A piece is good until the next one is asked for. */
  content: AsyncIterable<Buffer>;
  close(): Promise<void>;
}

/** A file that was found. */
export interface FoundFile {
  /** As it was said when it was found; null: it was not. */
  sizeBytes: number | null;
  /** @throws DownloadFault */
  open(from: number, signal: AbortSignal): Promise<OpenSource>;
}

/** Where files come from that bots are not given: an account of Telegram's own protocol, MTProto. */
export interface LargeFileSource {
  /** Null: it cannot get at this one. Throws `DownloadFault`. */
  find(file: WantedFile, signal: AbortSignal): Promise<FoundFile | null>;
}

export interface SourceOptions {
  /** Calls that share the bot's pace and its holds. */
  callNow<Result>(call: DirectCall, limits: CallOptions): Promise<Result>;
  botApiFor(connectorId: string): Promise<BotApi>;
  /** How files of a Bot API server with `--local` are read; null: over HTTP. */
  localFiles: LocalFiles | null;
  largeFiles: LargeFileSource | null;
  /** So long Telegram may give nothing, in ms. */
  stallMs: number;
  now(): number;
}

/** Bot API: File. */
interface TelegramFile {
  file_path?: unknown;
  file_size?: unknown;
}

/** Beside what its size takes. */
const LEAST_MS = 60_000;
/** Slower than this a file does not come: its place is another's. */
const LEAST_BYTES_PER_MS = 256;

const timeFor = (bytes: number | null) => LEAST_MS + (bytes ?? 0) / LEAST_BYTES_PER_MS;

/**
 * Asks where the file is (Bot API: getFile). A server of one's own fetches it whole before it answers,
 * so that this may take as long as the file is large. Throws `DownloadFault`.
 */
export async function findFile(
  file: WantedFile,
  options: SourceOptions,
  signal: AbortSignal,
): Promise<FoundFile> {
  const { workspaceId, connectorId, telegramFileId } = file;
  let answer: TelegramFile;
  try {
    answer = await options.callNow<TelegramFile>(
      {
        workspaceId,
        connectorId,
        chatId: null,
        method: "getFile",
        params: { file_id: telegramFileId },
      },
      { timeoutMs: timeFor(file.claimedBytes), signal },
    );
  } catch (error) {
    const fault = faultOfTelegram(error, "getFile", options.now()) ?? error;
    if (!(fault instanceof DownloadFault) || fault.kind !== "too-large-for-bots") throw fault;
    const found = (await options.largeFiles?.find(file, signal)) ?? null;
    if (found === null) throw fault;
    return found;
  }
  const { file_path: place, file_size: size } = answer;
  if (typeof place !== "string" || place === "") {
    throw new DownloadFault("not-there", { detail: "getFile named no path" });
  }
  const sizeBytes = Number.isSafeInteger(size) && Number(size) >= 0 ? Number(size) : null;
  const { localFiles } = options;
  const isLocal = localFiles !== null && path.isAbsolute(place) && !place.includes("\0");
  const open = isLocal ? fromDisk(place, localFiles) : overHttp(place, sizeBytes, file, options);
  return { sizeBytes, open };
}

function fromDisk(place: string, localFiles: LocalFiles): FoundFile["open"] {
  return async (from) => {
    const local = await openLocalFile(place, localFiles);
    return { ...local, from, content: local.read(from) };
  };
}

function overHttp(
  place: string,
  sizeBytes: number | null,
  { connectorId }: WantedFile,
  { botApiFor, stallMs, now }: SourceOptions,
): FoundFile["open"] {
  return async (from, signal) => {
    const ending = new AbortController();
    const timeoutMs = timeFor(sizeBytes === null ? null : sizeBytes - from);
    const limits = { from, stallMs, timeoutMs, signal: AbortSignal.any([signal, ending.signal]) };
    try {
      const api = await botApiFor(connectorId);
      const download = await api.download(place, limits);
      const content = withFaults(download.content, now);
      return { ...download, content, close: async () => ending.abort() };
    } catch (error) {
      const fault = faultOfTelegram(error, "open", now()) ?? error;
      const isElsewhere = fault instanceof DownloadFault && fault.kind === "not-there";
      if (!isElsewhere || !path.isAbsolute(place)) throw fault;
      const detail =
        "the server runs with --local: TELEGRAM_LOCAL_FILES says how its files are read";
      throw new DownloadFault("unreadable", { detail });
    }
  };
}

async function* withFaults(content: AsyncIterable<Buffer>, now: () => number) {
  try {
    yield* content;
  } catch (error) {
    throw faultOfTelegram(error, "read", now()) ?? error;
  }
}
