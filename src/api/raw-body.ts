import type { Request, Response } from "express";
import { Problem, shownSize } from "../platform/index.ts";
import { FewAtOnce } from "./few-at-once.ts";
import type { RawBodyLimits } from "./route.ts";
import { allowSlowBody } from "./slow-bodies.ts";

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
 * Reads a body that is text in UTF-8. Throws `Problem`: 415 for another encoding, 413 for one that is
 * too large, 408 for one that takes too long, 400 for one that breaks off.
 */
export async function readRawBody(
  request: Request,
  response: Response,
  { maxBytes, deadlineMs }: RawBodyLimits,
): Promise<RawBody> {
  const [type = "", ...parameters] = (request.headers["content-type"] ?? "").split(";");
  const charset = /^\s*charset\s*=\s*"?([^"\s]*)/i;
  const encodings = parameters.flatMap((text) => charset.exec(text)?.[1]?.toLowerCase() ?? []);
  if (encodings.some((name) => name !== "utf-8" && name !== "utf8" && name !== "us-ascii")) {
    throw new Problem(415, "Unsupported encoding", "Send the file in UTF-8.");
  }
  if (!["", "identity"].includes(request.headers["content-encoding"] ?? "")) {
    throw new Problem(415, "Unsupported encoding", "Send the file as it is, not compressed.");
  }
  // What is left of a body that is refused is not waited for.
  const cutOff = () => response.setHeader("connection", "close");
  const tooLarge = () => {
    cutOff();
    return new Problem(413, "Body too large", `A body has at most ${shownSize(maxBytes)} here.`);
  };
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw tooLarge();

  const endAllowance = allowSlowBody(request.socket);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => {
        cutOff();
        const detail = `A body has ${deadlineMs / 1_000} s to arrive here.`;
        reject(new Problem(408, "Too slow", detail));
      }, deadlineMs);
      const broken = () => reject(new Problem(400, "Invalid request", "The body broke off."));
      request.on("data", (chunk: Buffer) => {
        sizeBytes += chunk.length;
        if (sizeBytes > maxBytes) reject(tooLarge());
        else chunks.push(chunk);
      });
      request.once("end", resolve).on("error", broken).once("close", broken);
      // Who went away while it was asked whose call this is.
      if (request.destroyed) broken();
    });
  } finally {
    clearTimeout(timer);
    request.removeAllListeners("data");
    endAllowance();
  }
  const contentType = type.trim().toLowerCase();
  return { contentType, content: Buffer.concat(chunks, sizeBytes) };
}
