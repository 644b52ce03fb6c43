import { createWebServer, type WebServer } from "../src/api/index.ts";
import { createWebhookDirectory } from "../src/connectors/index.ts";
import { createConsole } from "../src/console/index.ts";
import { linkedChats, moveChatLink } from "../src/conversations/index.ts";
import { createLinkedChats, createReceiver } from "../src/receiver/index.ts";
import type { System } from "./system.ts";

/** The web process: the receiver, the API, health and metrics. */
export function webServer(system: System, options: { requestTimeoutMs?: number } = {}): WebServer {
  const { db, jobs, metrics, log, connectors, config } = system;
  const receiver = createReceiver({
    db,
    directory: createWebhookDirectory(db),
    links: createLinkedChats({
      linked: async (chat) =>
        (await linkedChats(db, [chat])).has(`${chat.connectorId}/${chat.chatId}`),
      move: async (tx, move) => void (await moveChatLink(tx, move)),
    }),
    jobs,
    metrics,
    log,
  });
  const console = createConsole({ db, jobs, log, adminToken: config.adminToken });
  const services = { db, connectors, jobs, metrics, log, adminToken: config.adminToken };
  return createWebServer({ services, receiver, console, ...options });
}
