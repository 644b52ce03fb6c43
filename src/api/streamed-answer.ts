import { pipeline } from "node:stream/promises";
import type { Response } from "express";
import type { Logger } from "../platform/index.ts";
import type { Answer } from "./route.ts";

type StreamedAnswer = Answer & Required<Pick<Answer, "stream">>;

/** However slowly somebody reads: whoever reads nothing at all is cut off much sooner (web-server.ts). */
const MAX_STREAM_MS = 6 * 3_600_000;

/**
 * Sends an answer piece by piece, as fast as it is read. Its first piece is asked for before its head is
 * sent: what is not there, or does not open, is thrown and answered in words. What goes wrong later can
 * only be told by its breaking off: the connection is cut, so that no client takes a part for the whole.
 * With a `content-length` among the headers it is held to that.
 */
export async function sendStream(
  response: Response,
  { status, headers = {}, stream }: StreamedAnswer,
  log: Logger,
): Promise<void> {
  const pieces = stream[Symbol.asyncIterator]();
  try {
    const first = await pieces.next();
    response.status(status).setHeader("cache-control", "no-store");
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (response.req.method === "HEAD") response.end();
    else await send(response, heldTo(headers["content-length"], first, pieces), log);
  } finally {
    // What it was read from is closed, also where not one piece was asked for.
    pieces.return?.().catch(() => {});
  }
}

async function send(
  response: Response,
  content: AsyncIterable<Uint8Array>,
  log: Logger,
): Promise<void> {
  try {
    await pipeline(content, response, { signal: AbortSignal.timeout(MAX_STREAM_MS) });
  } catch (error) {
    response.destroy();
    const requestId = response.getHeader("x-request-id");
    // Whoever asked may go away at any time.
    const isGone = (error as { code?: unknown }).code === "ERR_STREAM_PREMATURE_CLOSE";
    log[isGone ? "debug" : "error"]({ err: error, requestId }, "an answer broke off");
  }
}

/** The pieces, the first of which is read already, and no other number of bytes than was said. */
async function* heldTo(
  length: string | undefined,
  first: IteratorResult<Uint8Array, unknown>,
  pieces: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let sizeBytes = 0;
  const most = length === undefined ? Number.POSITIVE_INFINITY : Number(length);
  for (let piece = first; !piece.done; piece = await pieces.next()) {
    sizeBytes += piece.value.length;
    if (sizeBytes > most) throw new Error("an answer is longer than was said");
    yield piece.value;
  }
  if (length !== undefined && sizeBytes < most)
    throw new Error("an answer is shorter than was said");
}
