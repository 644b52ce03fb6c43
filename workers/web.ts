import { createWebServer, type WebServer } from "../src/api/index.ts";
import { defineAuditMetrics, startAuditSealer } from "../src/audit/index.ts";
import {
  createSeenUpdates,
  createWebhookDirectory,
  defineConnectorMetrics,
  startConnectorWatch,
} from "../src/connectors/index.ts";
import { createConsole } from "../src/console/index.ts";
import { linkedChats, moveChatLink } from "../src/conversations/index.ts";
import { createLinkedChats, createReceiver } from "../src/receiver/index.ts";
import { openFailureLimits } from "./failure-limits.ts";
import type { System } from "./system.ts";

/**
 * The web process: the receiver, the API, health and metrics, the watch over the bots, and the seals
 * of the audit log.
 */
export function webServer(
  system: System,
  { watch = true, ...options }: { requestTimeoutMs?: number; watch?: boolean } = {},
): WebServer {
  const { db, jobs, keyring, metrics, log, connectors, config, botApis } = system;
  const seen = createSeenUpdates(db, log);
  const failures = openFailureLimits(system);
  defineConnectorMetrics(db, metrics);
  defineAuditMetrics(db, metrics);
  const receiver = createReceiver({
    db,
    directory: createWebhookDirectory(db),
    links: createLinkedChats({
      linked: async (chat) =>
        (await linkedChats(db, [chat])).has(`${chat.connectorId}/${chat.chatId}`),
      move: async (tx, move) => void (await moveChatLink(tx, move)),
    }),
    seen,
    failures: failures.webhook,
    jobs,
    metrics,
    log,
  });
  const { adminToken, trustedProxies } = config;
  const console = createConsole({ db, jobs, log, failures: failures.console, adminToken });
  const services = { db, connectors, jobs, failures: failures.api, metrics, log, adminToken };
  const server = createWebServer({ services, receiver, console, trustedProxies, ...options });
  const tickMs = watch ? undefined : 0;
  const moveWebhooks = connectors.repointWebhooks;
  const sealing = startAuditSealer({ db, keyring, log, tickMs });
  const watching = startConnectorWatch({ db, botApis, log, moveWebhooks, tickMs });
  return {
    listen: server.listen,
    close: async (graceMs) => {
      await server.close(graceMs);
      await Promise.all([watching.stop(), sealing.stop(), seen.stop()]);
      failures.close();
    },
  };
}
