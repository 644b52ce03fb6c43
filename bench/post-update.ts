import http from "node:http";
import type { BenchBot } from "./environment.ts";

/** To whom updates are posted: an agent that keeps connections, and a web process's port. */
export interface Receiver {
  agent: http.Agent;
  port: number;
}

/**
 * Posts an update (JSON) to a bot's webhook, and waits for nothing. One that fails is not told: it is
 * among those that are never answered.
 */
export function postUpdate({ agent, port }: Receiver, bot: BenchBot, update: string): void {
  const request = http.request({
    agent,
    port,
    host: "127.0.0.1",
    method: "POST",
    path: bot.webhookPath,
    headers: {
      "content-type": "application/json",
      "x-telegram-bot-api-secret-token": bot.secret,
    },
  });
  request.on("response", (response) => response.resume());
  request.on("error", () => {});
  request.end(update);
}
