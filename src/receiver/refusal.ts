import type { IncomingMessage, ServerResponse } from "node:http";

/**
 * A refusal: its status, and its name in the metrics. Bodies are short and hold nothing of the
 * request. No Error, whose stack would be a good part of what a flood of them costs.
 */
export class Refusal {
  readonly status: number;
  readonly reason: string;
  readonly retryAfterS: number | undefined;
  constructor(status: number, reason: string, retryAfterS?: number) {
    this.status = status;
    this.reason = reason;
    this.retryAfterS = retryAfterS;
  }
}

/** Nothing proves whose the request is. `target`: the connector it names, where there is one. */
export class Unproven extends Refusal {
  readonly target: string | undefined;
  constructor(status: 401 | 404, reason: string, target?: string) {
    super(status, reason);
    this.target = target;
  }
}

/**
 * A refused request without a body, or with a small one, keeps its connection: another would cost
 * several times what it takes to let so much pass unread.
 */
const MAX_PASSED_BYTES = 16_384;

/** Answers a request with its refusal; nothing when it was answered, or its client is gone. */
export function refuse(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  if (response.headersSent || response.destroyed) return;
  const body = `${refusal.reason}\n`;
  const headers = [
    "content-type",
    "text/plain; charset=utf-8",
    "content-length",
    String(Buffer.byteLength(body)),
  ];
  if (refusal.retryAfterS !== undefined) headers.push("retry-after", String(refusal.retryAfterS));
  // What is left of the body is not read.
  if (!passes(request)) headers.push("connection", "close");
  response.writeHead(refusal.status, headers).end(body);
}

const passes = ({ headers }: IncomingMessage) =>
  headers["transfer-encoding"] === undefined &&
  Number(headers["content-length"] ?? 0) <= MAX_PASSED_BYTES;
