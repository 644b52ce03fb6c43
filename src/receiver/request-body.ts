import type { IncomingMessage } from "node:http";

/** The body was larger than allowed; reading stopped there. */
export class BodyTooLarge extends Error {
  override name = "BodyTooLarge";
}

/** The client went away before its body was complete. */
export class BodyAborted extends Error {
  override name = "BodyAborted";
}

/** Reads a request's body, at most `limitBytes` of it. */
export function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // Gone while something else was waited for: its `close` has been and will not be again.
    if (request.destroyed) {
      reject(new BodyAborted("the client went away"));
      return;
    }
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    const done = () => {
      request.off("data", onData);
      request.off("end", onEnd);
      request.off("close", onClose);
    };
    const onData = (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes > limitBytes) {
        done();
        reject(new BodyTooLarge(`more than ${limitBytes} bytes`));
        return;
      }
      chunks.push(chunk);
    };
    const onEnd = () => {
      done();
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    };
    const onClose = () => {
      done();
      reject(new BodyAborted("the client went away"));
    };
    request.on("data", onData);
    request.on("end", onEnd);
    request.on("close", onClose);
    request.on("error", () => {});
  });
}
