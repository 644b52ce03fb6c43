import type { Request, Response } from "express";
import { Problem } from "../platform/index.ts";
import { FewAtOnce } from "./few-at-once.ts";
import { allowSlowBody } from "./slow-bodies.ts";

/** Of a body that is a file. */
export interface BodyStreamLimits {
  /** Types it may be, for the description; the handler looks at the one that came. */
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
  { deadlineMs }: Pick<BodyStreamLimits, "deadlineMs">,
): BodyStream {
  if (!["", "identity"].includes(request.headers["content-encoding"] ?? "")) {
    throw new Problem(415, "Unsupported encoding", "Send the file as it is, not compressed.");
  }
  const endAllowance = allowSlowBody(request.socket);
  const deadline = deadlineIn(deadlineMs);
  return {
    content: piecesOf(request, deadline),
    close: () => {
      deadline.end();
      endAllowance();
      if (request.complete) return;
      // What is left of a body that is refused is not waited for, nor does it stand in the answer's way.
      if (!response.headersSent) response.setHeader("connection", "close");
      request.resume();
    },
  };
}

async function* piecesOf(request: Request, deadline: Deadline): AsyncGenerator<Uint8Array> {
  // Whoever stops reading still has an answer to send over the same connection.
  const pieces = request.iterator({ destroyOnReturn: false });
  try {
    for (;;) {
      const piece = await deadline.within(nextOf(pieces));
      if (piece.done) return;
      yield piece.value;
    }
  } finally {
    pieces.return?.().catch(() => {});
  }
}

const nextOf = (pieces: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> =>
  pieces.next().catch(() => {
    throw new Problem(400, "Invalid request", "The body broke off.");
  });

interface Deadline {
  /** One step at a time. Throws `Problem` 408 once the time is over. */
  within<Value>(step: Promise<Value>): Promise<Value>;
  end(): void;
}

/** No race with one promise for all steps: that one would keep what each of them gave until it is over. */
function deadlineIn(deadlineMs: number): Deadline {
  let isOver = false;
  let giveUp: (() => void) | undefined;
  const late = () => {
    const detail = `A body has ${deadlineMs / 1_000} s to arrive here.`;
    return new Problem(408, "Too slow", detail);
  };
  const timer = setTimeout(() => {
    isOver = true;
    giveUp?.();
  }, deadlineMs);
  return {
    within: (step) =>
      new Promise((resolve, reject) => {
        giveUp = () => reject(late());
        if (isOver) giveUp();
        step.then(resolve, reject);
      }),
    end: () => clearTimeout(timer),
  };
}
