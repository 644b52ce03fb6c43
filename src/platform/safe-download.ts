import { type LookupAddress, lookup } from "node:dns";
import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { Readable } from "node:stream";
import { DownloadError } from "./download-error.ts";
import { isPublicAddress } from "./public-address.ts";
import { shownSize } from "./shown-size.ts";

/**
 * Downloads by an address that somebody gave us. They must not reach with it what only we can reach:
 * this machine, its network, its cloud's metadata. A name is resolved once, by the dialling itself,
 * and the connection goes to an address that passed the check; so a name that leads elsewhere a
 * moment later (DNS rebinding) gains nothing. Each redirect is checked like the first address.
 */
export interface SafeDownloadOptions {
  /** More is an error, whatever was announced. */
  maxBytes: number;
  /** Deadline of the whole download, in ms. */
  timeoutMs: number;
  signal?: AbortSignal;
  /** Which IP addresses may be dialled. Default: those of the public Internet. */
  mayDial?: (address: string) => boolean;
}

export interface Download {
  /** Fails with `DownloadError`, also where the answer breaks off. To be read or destroyed. */
  stream: Readable;
  /** As announced; null: its server does not say. */
  sizeBytes: number | null;
  /** As announced, without parameters, e.g. `image/png`. */
  contentType: string;
  /** The last part of the address's path; null when it has none. */
  name: string | null;
}

const MAX_REDIRECTS = 3;
const REDIRECTS = [301, 302, 303, 307, 308];
/** They ask for patience. */
const LATER = [408, 425, 429];

/** The address, checked as far as it can be without asking anybody. Throws `DownloadError`. */
export function checkedUrl(text: string, mayDial = isPublicAddress): URL {
  if (!URL.canParse(text)) throw new DownloadError("bad-url", "The file's address is no URL.");
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new DownloadError("bad-url", "The file's address begins with neither https nor http.");
  }
  if (url.username !== "" || url.password !== "") {
    throw new DownloadError("bad-url", "The file's address holds a user or a password.");
  }
  // Every spelling of an address (octal, one number, mapped) is a plain one by now, and is dialled
  // without being looked up.
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) !== 0 && !mayDial(host)) throw privateAddress();
  return url;
}

/** Asks for the file, and answers once its bytes begin to come. Throws `DownloadError`. */
export async function openDownload(url: string, options: SafeDownloadOptions): Promise<Download> {
  const { maxBytes, timeoutMs, signal, mayDial = isPublicAddress } = options;
  const ending = new AbortController();
  const late = new DownloadError("late", "The file's server took too long.");
  const timer = setTimeout(() => ending.abort(late), timeoutMs);
  const abort = () => ending.abort(new DownloadError("aborted", "The download was ended."));
  if (signal?.aborted) abort();
  else signal?.addEventListener("abort", abort, { once: true });
  const done = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  };
  try {
    const { response, at } = await follow(checkedUrl(url, mayDial), ending.signal, mayDial);
    const sizeBytes = announcedSize(response, maxBytes);
    const stream = Readable.from(bytesOf(response, maxBytes, ending.signal), { objectMode: false });
    stream.once("close", () => {
      done();
      response.destroy();
    });
    const type = response.headers["content-type"] ?? "application/octet-stream";
    const contentType = type.split(";")[0]?.trim().toLowerCase() ?? "";
    return { stream, sizeBytes, contentType, name: nameIn(at) };
  } catch (error) {
    const failure = asDownloadError(error, ending.signal);
    done();
    // Whatever connection there is.
    ending.abort();
    throw failure;
  }
}

/** The answer that is the file, behind as many redirects as are followed. */
async function follow(
  first: URL,
  signal: AbortSignal,
  mayDial: (address: string) => boolean,
): Promise<{ response: IncomingMessage; at: URL }> {
  let at = first;
  for (let redirects = 0; ; redirects++) {
    const response = await get(at, signal, mayDial);
    const status = response.statusCode ?? 0;
    const { location } = response.headers;
    if (status === 200) return { response, at };
    response.destroy();
    if (!REDIRECTS.includes(status) || location === undefined) throw errorOfStatus(status);
    if (redirects === MAX_REDIRECTS || !URL.canParse(location, at.href)) {
      throw new DownloadError("refused", "The file's server leads on and on.");
    }
    const next = checkedUrl(new URL(location, at).href, mayDial);
    if (at.protocol === "https:" && next.protocol === "http:") {
      throw new DownloadError("refused", "The file's server leads from https to http.");
    }
    at = next;
  }
}

/** The answer's head. A connection of its own: one that was kept might lead anywhere. */
function get(
  url: URL,
  signal: AbortSignal,
  mayDial: (address: string) => boolean,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // What is encoded could be small here and large when it is opened.
    const headers = { accept: "*/*", "accept-encoding": "identity", "user-agent": "Heliograph" };
    const settings = { agent: false, signal, headers, lookup: lookupAmong(mayDial) } as const;
    const request = url.protocol === "https:" ? https.get(url, settings) : http.get(url, settings);
    // Both stay: what happens to the connection later is told by the answer's stream.
    request.on("error", reject);
    request.once("response", resolve);
  });
}

/** Looks a name up as the system does, and gives the dialling those addresses only that it may have. */
const lookupAmong =
  (mayDial: (address: string) => boolean): LookupFunction =>
  (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found: LookupAddress[]) => {
      const allowed = error === null ? found.filter(({ address }) => mayDial(address)) : [];
      const [first] = allowed;
      if (error !== null) callback(error, []);
      else if (first === undefined) callback(privateAddress(), []);
      else if (options.all) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };

function announcedSize(response: IncomingMessage, maxBytes: number): number | null {
  const encoding = response.headers["content-encoding"] ?? "identity";
  if (encoding !== "identity") {
    throw new DownloadError("refused", "The file's server sends it encoded, unasked.");
  }
  const announced = response.headers["content-length"];
  const sizeBytes = announced === undefined ? null : Number(announced);
  if (sizeBytes !== null && sizeBytes > maxBytes) throw tooLarge(maxBytes);
  return sizeBytes;
}

async function* bytesOf(
  response: IncomingMessage,
  maxBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      yield chunk;
    }
    if (!response.complete) throw brokenOff();
  } catch (error) {
    throw asDownloadError(error, signal);
  }
}

function errorOfStatus(status: number): DownloadError {
  const words = `The file's server answers ${status}.`;
  const isFinal = status < 500 && !LATER.includes(status);
  return new DownloadError(isFinal ? "refused" : "unavailable", words);
}

/** Errors of the system name hosts and addresses: nothing of them goes further. */
function asDownloadError(error: unknown, signal: AbortSignal): DownloadError {
  if (error instanceof DownloadError) return error;
  if (signal.aborted && signal.reason instanceof DownloadError) return signal.reason;
  const code = (error as { code?: unknown } | null)?.code;
  if (code === "ENOTFOUND") {
    return new DownloadError("unavailable", "The file's server has no address.");
  }
  return code === "ECONNRESET" ? brokenOff() : unreachable();
}

const privateAddress = () =>
  new DownloadError("private-address", "The file's address is not on the public Internet.");
const unreachable = () =>
  new DownloadError("unavailable", "The file's server could not be reached.");
const brokenOff = () => new DownloadError("unavailable", "The file's server broke off.");
const tooLarge = (maxBytes: number) =>
  new DownloadError("too-large", `The file is larger than ${shownSize(maxBytes)}.`);

function nameIn(url: URL): string | null {
  const last = url.pathname.split("/").at(-1) ?? "";
  try {
    return decodeURIComponent(last) || null;
  } catch {
    return last;
  }
}
