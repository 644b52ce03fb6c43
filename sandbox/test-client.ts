import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { BotAccount, Sandbox } from "./sandbox-types.ts";
import type { TelegramUpdate } from "./telegram-objects.ts";

/** What the sandbox's own tests share: a bot's side of HTTP, and a webhook receiver. */

export interface ApiAnswer<Result = unknown> {
  status: number;
  ok: boolean;
  result: Result;
  error_code?: number;
  description?: string;
  parameters?: { retry_after?: number; migrate_to_chat_id?: number };
}

/** Calls a Bot API method with a JSON body. */
export async function call<Result = Record<string, unknown>>(
  sandbox: Pick<Sandbox, "url">,
  bot: Pick<BotAccount, "token">,
  method: string,
  params: Record<string, unknown> = {},
): Promise<ApiAnswer<Result>> {
  const response = await fetch(`${sandbox.url}/bot${bot.token}/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(params),
  });
  return { status: response.status, ...((await response.json()) as object) } as ApiAnswer<Result>;
}

/** The updates that wait for a bot, which stay there. */
export async function updatesOf(
  sandbox: Sandbox,
  bot: Pick<BotAccount, "token">,
): Promise<TelegramUpdate[]> {
  return (await call<TelegramUpdate[]>(sandbox, bot, "getUpdates")).result;
}

export interface ReceivedUpdate {
  update: TelegramUpdate;
  secret: string | undefined;
  /** Answers it; what is not answered stays in flight. */
  answer(status: number, headers?: Record<string, string>, body?: string): void;
}

/** A webhook that hands each request to `onUpdate` (default: 200 at once), and keeps all it got. */
export async function startReceiver(
  onUpdate: (received: ReceivedUpdate) => void = ({ answer }) => answer(200),
) {
  const received: ReceivedUpdate[] = [];
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const header = request.headers["x-telegram-bot-api-secret-token"];
    const entry: ReceivedUpdate = {
      update: JSON.parse(Buffer.concat(chunks).toString("utf8")) as TelegramUpdate,
      secret: typeof header === "string" ? header : undefined,
      answer(status, headers = {}, body = "") {
        response.writeHead(status, headers);
        response.end(body);
      },
    };
    received.push(entry);
    onUpdate(entry);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    texts: () =>
      received.map(({ update }) => (update.message as { text?: string } | undefined)?.text),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The smallest PNG there is, one pixel. */
export const onePixelPng = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
