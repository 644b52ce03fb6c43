import type { Agent, ClientRequest, IncomingMessage } from "node:http";
import { onceLeft } from "./request-left.ts";

/** What an http(s) Agent does for a request. Undocumented, and stable since Node 0.11. */
interface RequestCarrier {
  addRequest(request: ClientRequest, ...rest: unknown[]): void;
}

/**
 * Follows one HTTP request on its way, under a client library that says little: whether it can
 * have left this machine, what the head of the answer was, whether the answer is whole. It also
 * keeps the answer within `maxAnswerBytes`, and refuses the second request of a redirect, because
 * the URL holds the bot's token.
 */
export class RequestWatch {
  /** To be handed to the library: the shared agent, seen through this watch. */
  readonly agent: Agent;
  /** True once the request may have left this machine. */
  left = false;
  /** True when the library tried to follow a redirect. */
  redirected = false;
  /** True when the answer was cut off for its size. */
  tooLarge = false;
  private request: ClientRequest | undefined;
  private response: IncomingMessage | undefined;

  constructor(shared: Agent, options: { secure: boolean; maxAnswerBytes: number }) {
    const carrier = Object.create(shared) as Agent & RequestCarrier;
    carrier.addRequest = (request, ...rest) => {
      if (this.request !== undefined) {
        this.redirected = true;
        throw new Error("redirects are not followed");
      }
      this.request = request;
      this.watch(request, options);
      (shared as Agent & RequestCarrier).addRequest(request, ...rest);
    };
    this.agent = carrier;
  }

  /** HTTP status, undefined until the head of the answer is there. */
  get status(): number | undefined {
    return this.response?.statusCode;
  }

  /** True when the whole answer arrived. */
  get complete(): boolean {
    return this.response?.complete ?? false;
  }

  /**
   * Ends the request unless it is over; false when it had not begun to be answered, and the
   * library must be told by its signal. A body that nobody reads would keep its socket for ever.
   */
  end(): boolean {
    if (!this.complete) this.request?.destroy();
    return this.response !== undefined;
  }

  private watch(
    request: ClientRequest,
    { secure, maxAnswerBytes }: { secure: boolean; maxAnswerBytes: number },
  ): void {
    // Answers are small; compressed ones could be small and large at once.
    request.removeHeader("accept-encoding");
    onceLeft(request, secure, () => {
      this.left = true;
    });
    request.once("response", (response) => {
      this.response = response;
      // node-fetch 2 does not hear of an answer that breaks off, and would wait for its rest; told
      // by an error, it would keep its own timer of 500 s. So it gets to read what there is.
      response.once("aborted", () => response.emit("end"));
      let bytes = 0;
      const encoded = response.headers["content-encoding"] ?? "identity";
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (this.tooLarge || (bytes <= maxAnswerBytes && encoded === "identity")) return;
        this.tooLarge = true;
        response.pause();
        // Not at once: this chunk is still on its way through the pipe.
        queueMicrotask(() => {
          response.emit("end");
          response.unpipe();
        });
      });
    });
  }
}
