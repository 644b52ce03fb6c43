import type { Request, Response } from "express";
import { Problem } from "../platform/index.ts";
import { FewAtOnce } from "./few-at-once.ts";
import { allowSlowBody } from "./slow-bodies.ts";

/** Of a body that is taken piece by piece and never in memory. */
export interface BodyStreamLimits {
  /** Types it may be, for the description. */
  contentTypes: readonly string[];
  /** From the first byte to the last. */
  deadlineMs: number;
}

/** Each holds about a megabyte of memory, and on the disk as much as has come of it, for hours perhaps. */
export const uploadsInHand = new FewAtOnce({
  most: 64,
  mostOfOne: 16,
  busy: "Other files are being taken in; send this one again shortly.",
});

export interface BodyStream {
  /** Throws `Problem`: 408 for one that takes too long, 400 for one that breaks off. */
  content: AsyncIterable<Uint8Array>;
  /** Whatever became of it: the connection is as any other again. */
  close(): void;
}

/** Of calls that take none. */
export const NO_STREAM: BodyStream = { content: (async function* () {})(), close: () => {} };

/** The body as it comes, for a call that has been let in. Throws `Problem` 415 for one that is encoded. */
export function openBodyStream(
  request: Request,
  response: Response,
  { deadlineMs }: BodyStreamLimits,
): BodyStream {
  if (!["", "identity"].includes(request.headers["content-encoding"] ?? "")) {
    throw new Problem(415, "Unsupported encoding", "Send the file as it is, not compressed.");
  }
  const endAllowance = allowSlowBody(request.socket);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const detail = `A body has ${deadlineMs / 1_000} s to arrive here.`;
      reject(new Problem(408, "Too slow", detail));
    }, deadlineMs);
  });
  late.catch(() => {});
  return {
    content: piecesOf(request, late),
    close: () => {
      clearTimeout(timer);
      endAllowance();
      // What is left of a body that is refused is not waited for.
      if (!request.complete && !response.headersSent) response.setHeader("connection", "close");
    },
  };
}

async function* piecesOf(request: Request, late: Promise<never>): AsyncGenerator<Uint8Array> {
  // Whoever stops reading still has an answer to send over the same connection.
  const pieces = request.iterator({ destroyOnReturn: false });
  for (;;) {
    const piece = await Promise.race([nextOf(pieces), late]);
    if (piece.done) return;
    yield piece.value;
  }
}

const nextOf = (pieces: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> =>
  pieces.next().catch(() => {
    throw new Problem(400, "Invalid request", "The body broke off.");
  });
