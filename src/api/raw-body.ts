import type { Request, Response } from "express";
import { Problem, shownSize } from "../platform/index.ts";
import { type BodyStreamLimits, openBodyStream } from "./body-stream.ts";
import { FewAtOnce } from "./few-at-once.ts";

/** Of a body that is a file, and is in memory as a whole. */
export interface RawBodyLimits extends BodyStreamLimits {
  maxBytes: number;
}

/** A body as it came, for calls that take files. */
export interface RawBody {
  /** Without parameters, in lower case; empty where the client did not say. */
  contentType: string;
  content: Buffer;
}

/** Of calls that take none. */
export const NO_BODY: RawBody = { contentType: "", content: Buffer.alloc(0) };

/** Each is in memory, and what is made of it. */
export const bodiesInHand = new FewAtOnce({
  most: 4,
  mostOfOne: 2,
  busy: "Other files are being taken in; send this one again shortly.",
});

/**
 * Reads a body that is text in UTF-8. Throws as `openBodyStream` and its content do, and `Problem` 415
 * for another encoding, 413 for a body that is too large.
 */
export async function readRawBody(
  request: Request,
  response: Response,
  { maxBytes, ...limits }: RawBodyLimits,
): Promise<RawBody> {
  const [type = "", ...parameters] = (request.headers["content-type"] ?? "").split(";");
  assertUtf8(parameters);
  const { content, close } = openBodyStream(request, response, limits);
  try {
    if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw tooLarge(maxBytes);
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const chunk of content) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) throw tooLarge(maxBytes);
      chunks.push(chunk);
    }
    return { contentType: type.trim().toLowerCase(), content: Buffer.concat(chunks, sizeBytes) };
  } finally {
    close();
  }
}

function assertUtf8(parameters: readonly string[]): void {
  const charset = /^\s*charset\s*=\s*"?([^"\s]*)/i;
  const encodings = parameters.flatMap((text) => charset.exec(text)?.[1]?.toLowerCase() ?? []);
  if (encodings.every((name) => ["utf-8", "utf8", "us-ascii"].includes(name))) return;
  throw new Problem(415, "Unsupported encoding", "Send the file in UTF-8.");
}

const tooLarge = (maxBytes: number) =>
  new Problem(413, "Body too large", `A body has at most ${shownSize(maxBytes)} here.`);
