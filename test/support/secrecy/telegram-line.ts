import http from "node:http";
import type { AddressInfo } from "node:net";

/** The line between the system and Telegram, listened in on: what is secret there is noted. */
export interface TelegramLine {
  url: string;
  close(): Promise<void>;
}

/**
 * `heard` is told of each token and webhook secret that goes over it, again and again.
 * Passes everything on to `target`, faults included: what is reset or left hanging there, is so here.
 */
export async function openTelegramLine(
  target: string,
  heard: { token(token: string): void; webhookSecret(secret: string): void },
): Promise<TelegramLine> {
  const agent = new http.Agent({ keepAlive: true });
  const server = http.createServer((request, response) => {
    const [, token, method] = /^\/(?:file\/)?bot([^/]+)\/(\w+)/.exec(request.url ?? "") ?? [];
    if (token !== undefined) heard.token(decodeURIComponent(token));
    const { method: verb, headers } = request;
    const onward = http.request(
      target + request.url,
      { agent, method: verb, headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
        answer.on("error", () => response.destroy());
      },
    );
    onward.on("error", () => request.socket.resetAndDestroy());
    response.on("close", () => onward.destroy());
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
      onward.write(chunk);
    });
    request.on("end", () => {
      onward.end();
      const secret = method === "setWebhook" ? secretOf(body) : undefined;
      if (secret !== undefined) heard.webhookSecret(secret);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };
}

/** Bot API: setWebhook, `secret_token`. Throws when a registration is not read: it would go unseen. */
function secretOf(body: string): string {
  const { secret_token: secret } = JSON.parse(body) as { secret_token?: unknown };
  if (typeof secret !== "string") throw new Error("a webhook was registered without a secret");
  return secret;
}
