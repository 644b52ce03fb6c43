import type { ServerResponse } from "node:http";
import type { RawCall } from "./bot-api-schema.ts";
import { BotApiRefusal, TooManyRequests } from "./errors.ts";
import type { CallEntry } from "./record.ts";

/** What a call is answered with: as it goes over the wire, and as the record keeps it. */

/** An answer as it goes over the wire (Bot API: Making requests). */
export interface Answer {
  status: number;
  body: {
    ok: boolean;
    result?: unknown;
    error_code?: number;
    description?: string;
    parameters?: { retry_after?: number; migrate_to_chat_id?: number };
  };
  tookEffect: boolean;
  violation: boolean;
}

export type NewCallEntry = Omit<CallEntry, "seq" | "at">;

export function toRefusal(error: unknown): BotApiRefusal {
  return error instanceof BotApiRefusal ? error : new BotApiRefusal(500, "Internal Server Error");
}

/** The answer to a call that is refused. */
export function refusal(error: BotApiRefusal): Answer {
  return {
    status: error.errorCode,
    body: {
      ok: false,
      error_code: error.errorCode,
      description: error.message,
      ...(error.parameters !== undefined && { parameters: error.parameters }),
    },
    tookEffect: false,
    violation: error instanceof TooManyRequests && error.violation,
  };
}

export function entryOf(
  botId: number | undefined,
  method: string,
  params: Record<string, unknown>,
  answer: Answer,
  durationMs = 0,
): NewCallEntry {
  const { body } = answer;
  return {
    kind: "call",
    ...(botId !== undefined && { botId }),
    method,
    params,
    status: answer.status,
    ok: body.ok,
    tookEffect: answer.tookEffect,
    durationMs: Math.round(durationMs * 10) / 10,
    ...(body.ok && { result: body.result }),
    ...(body.description !== undefined && { description: body.description }),
    ...(body.parameters !== undefined && { parameters: body.parameters }),
    ...(answer.violation && { violation: true as const }),
  };
}

/** Parameters as the record keeps them: files by name and size, and no secret. */
export function shown(params: Record<string, unknown>, raw: RawCall): Record<string, unknown> {
  const kept = { ...params };
  for (const [name, file] of raw.files)
    kept[name] = { file: file.fileName, sizeBytes: file.content.length };
  if ("secret_token" in kept) kept.secret_token = "(secret)";
  return kept;
}

/** @param closing the request's body was not read to its end, so the connection cannot go on */
export function write(response: ServerResponse, answer: Answer, closing = false): void {
  if (response.destroyed) return;
  const body = JSON.stringify(answer.body);
  response.writeHead(answer.status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...(closing && { connection: "close" }),
  });
  response.end(body);
}

/** A page where JSON should be, as a proxy in between answers when what is behind it is gone. */
export function writeHtml(response: ServerResponse): void {
  if (response.destroyed) return;
  const page =
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";
  response.writeHead(502, {
    "content-type": "text/html",
    "content-length": Buffer.byteLength(page),
  });
  response.end(page);
}
