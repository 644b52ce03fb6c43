import type { IncomingMessage } from "node:http";
import { Busboy, type BusboyInstance } from "@fastify/busboy";
import type { RawCall, UploadedFile } from "./bot-api-schema.ts";
import { BotApiRefusal, badRequest } from "./errors.ts";

/** A form or JSON body without files; Telegram refuses larger ones likewise. */
const bodyLimitBytes = 2 * 1024 * 1024;

/**
 * Reads a call's parameters from wherever Telegram takes them: query string, urlencoded form,
 * JSON, multipart (Bot API: Making requests). Where both have one, the body wins.
 *
 * @param fileLimitBytes largest single file
 * @throws BotApiRefusal 400 for a body that cannot be read, 413 for one that is too large
 */
export async function readCall(
  request: IncomingMessage,
  query: URLSearchParams,
  fileLimitBytes: number,
): Promise<RawCall> {
  const params: Record<string, unknown> = Object.fromEntries(query);
  const files = new Map<string, UploadedFile>();
  if (request.method !== "POST") return { params, files };
  const contentType = (request.headers["content-type"] ?? "").toLowerCase();
  if (contentType.startsWith("multipart/form-data")) {
    await readMultipart(request, params, files, fileLimitBytes);
  } else if (contentType.startsWith("application/json")) {
    Object.assign(params, parseJsonBody(await readBody(request)));
  } else if (contentType.startsWith("application/x-www-form-urlencoded")) {
    Object.assign(
      params,
      Object.fromEntries(new URLSearchParams((await readBody(request)).toString("utf8"))),
    );
  } else {
    request.resume();
  }
  return { params, files };
}

/** Reads a whole body. @throws BotApiRefusal 413 */
export async function readBody(
  request: IncomingMessage,
  limitBytes = bodyLimitBytes,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) throw new BotApiRefusal(413, "Request Entity Too Large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parseJsonBody(body: Buffer): Record<string, unknown> {
  if (body.length === 0) return {};
  try {
    const parsed: unknown = JSON.parse(body.toString("utf8"));
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed))
      return parsed as Record<string, unknown>;
  } catch {
    // Told below, like any other body that is no object.
  }
  throw badRequest("can't parse request: JSON object expected");
}

function readMultipart(
  request: IncomingMessage,
  params: Record<string, unknown>,
  files: Map<string, UploadedFile>,
  fileLimitBytes: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      request.unpipe(parser);
      request.resume();
      reject(error);
    };
    let parser: BusboyInstance;
    try {
      parser = new Busboy({
        headers: { ...request.headers, "content-type": request.headers["content-type"] ?? "" },
        limits: { fileSize: fileLimitBytes, fieldSize: bodyLimitBytes, files: 20, parts: 200 },
      });
    } catch {
      request.resume();
      reject(badRequest("can't parse multipart form"));
      return;
    }
    parser.on("field", (name, value) => {
      params[name] = value;
    });
    parser.on("file", (name, stream, fileName, _encoding, contentType) => {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("limit", () => fail(new BotApiRefusal(413, "Request Entity Too Large")));
      stream.on("error", fail);
      stream.on("end", () => {
        files.set(name, {
          fileName: fileName || name,
          contentType,
          content: Buffer.concat(chunks),
        });
      });
    });
    parser.on("error", () => fail(badRequest("can't parse multipart form")));
    parser.on("finish", () => resolve());
    request.on("aborted", () => reject(badRequest("request was cut off")));
    request.pipe(parser);
  });
}
