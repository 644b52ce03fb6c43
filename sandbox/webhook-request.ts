import { type Agent, request as httpRequest } from "node:http";
import { type Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Clock } from "./clock.ts";

/** Connections that deliveries share and keep open. */
export interface WebhookAgent {
  http: Agent;
  https: HttpsAgent;
}

export interface PostResult {
  /** HTTP status; 0 when no answer came. */
  status: number;
  /** In the words of getWebhookInfo's `last_error_message`; undefined for 2xx. */
  error?: string;
  retryAfter?: string;
  /** Of the machine that answered. */
  address?: string;
  /** The call that a 2xx JSON body asked for (Bot API: Making requests when getting updates). */
  call?: { method: string; params: Record<string, unknown> };
}

/** More than any answer with a method needs; the rest is read and forgotten. */
const answerLimitBytes = 1024 * 1024;

export interface Post {
  /** Never rejects: what went wrong is in the result. */
  result: Promise<PostResult>;
  /** Cuts the connection; the result then has status 0. */
  cancel(): void;
}

/** Posts one update. Redirects are not followed. */
export function postUpdate(post: {
  url: string;
  secretToken: string | undefined;
  body: string;
  agent: WebhookAgent;
  clock: Clock;
  timeoutMs: number;
}): Post {
  let cancel = () => {};
  const result = new Promise<PostResult>((resolve) => {
    const secure = post.url.startsWith("https:");
    const headers: Record<string, string | number> = {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(post.body),
    };
    if (post.secretToken !== undefined)
      headers["x-telegram-bot-api-secret-token"] = post.secretToken;
    const options = { method: "POST", headers };
    const request = secure
      ? httpsRequest(post.url, { ...options, agent: post.agent.https })
      : httpRequest(post.url, { ...options, agent: post.agent.http });

    let settled = false;
    const settle = (result: PostResult) => {
      if (settled) return;
      settled = true;
      cancelTimeout();
      resolve(result);
    };
    const fail = (error: string) => {
      settle({ status: 0, error });
      request.destroy();
    };
    const cancelTimeout = post.clock.schedule(post.timeoutMs, () => fail("Read timeout expired"));
    cancel = () => fail("Connection closed");

    request.on("error", (error: NodeJS.ErrnoException) => fail(connectionError(error)));
    request.on("response", (response) => {
      const status = response.statusCode ?? 0;
      // Told here: when the answer ends, the socket may have been let go.
      const address = response.socket.remoteAddress;
      const isJson = /^application\/json\b/i.test(response.headers["content-type"] ?? "");
      const chunks: Buffer[] = [];
      let sizeBytes = 0;
      response.on("data", (chunk: Buffer) => {
        sizeBytes += chunk.length;
        if (isJson && sizeBytes <= answerLimitBytes) chunks.push(chunk);
      });
      response.on("error", (error: NodeJS.ErrnoException) => fail(connectionError(error)));
      response.on("end", () => {
        if (status < 200 || status > 299) {
          settle({
            status,
            error:
              `Wrong response from the webhook: ${status} ${response.statusMessage ?? ""}`.trim(),
            retryAfter: response.headers["retry-after"],
            address,
          });
          return;
        }
        settle({ status, address, call: callIn(chunks) });
      });
    });
    request.end(post.body);
  });
  return { result, cancel: () => cancel() };
}

/** Nobody would hear what these give, or they would pull the webhook from under their own answer. */
const notExecuted = /^(get.*|setwebhook|deletewebhook|logout|close)$/i;

function callIn(chunks: Buffer[]): PostResult["call"] {
  if (chunks.length === 0) return undefined;
  try {
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    if (typeof body !== "object" || body === null || !("method" in body)) return undefined;
    const { method, ...params } = body as Record<string, unknown>;
    return typeof method === "string" && !notExecuted.test(method) ? { method, params } : undefined;
  } catch {
    return undefined;
  }
}

function connectionError(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "ECONNREFUSED":
      return "Connection refused";
    case "ECONNRESET":
    case "EPIPE":
      return "Connection reset by peer";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "Failed to resolve host: Name or service not known";
    default:
      return error.code?.startsWith("ERR_TLS") || error.code?.includes("CERT")
        ? "SSL error: certificate verify failed"
        : "Connection failed";
  }
}
