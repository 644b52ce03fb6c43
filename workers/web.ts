import { createWebServer, type WebServer, type WebServerOptions } from "../src/api/index.ts";
import { defineAuditMetrics, startAuditSealer } from "../src/audit/index.ts";
import {
  createMessageFiles,
  createWebhookDirectory,
  defineConnectorMetrics,
  startConnectorWatch,
} from "../src/connectors/index.ts";
import { createConsole } from "../src/console/index.ts";
import { createCallGate } from "../src/outbound/index.ts";
import { createReceiver } from "../src/receiver/index.ts";
import { openEvidence } from "./evidence-services.ts";
import { openFailureLimits } from "./failure-limits.ts";
import { openIntake } from "./intake.ts";
import type { System } from "./system.ts";

/**
 * The web process: the receiver, the API, health and metrics, the watch over the bots, and the seals
 * of the audit log.
 */
export function webServer(
  system: System,
  {
    watch = true,
    ...options
  }: Pick<WebServerOptions, "requestTimeoutMs" | "stalledMs" | "maxConnections"> & {
    watch?: boolean;
  } = {},
): WebServer {
  const { db, jobs, keyring, metrics, log, connectors, config, botApis } = system;
  const { intake, stop: stopIntake } = openIntake(system);
  const failures = openFailureLimits(system);
  defineConnectorMetrics(db, metrics);
  defineAuditMetrics(db, metrics);
  const directory = createWebhookDirectory(db);
  const receiver = createReceiver({
    directory,
    intake,
    failures: failures.webhook,
    metrics,
    log,
  });
  const { adminToken, trustedProxies } = config;
  const console = createConsole({ db, jobs, log, failures: failures.console, adminToken });
  const callNow = createCallGate({ db, botApiFor: (id) => botApis.forConnector(id) });
  const openMessageFile = createMessageFiles({ botApis, callNow });
  const services = {
    db,
    connectors,
    jobs,
    openMessageFile,
    evidence: openEvidence(system),
    failures: failures.api,
    metrics,
    log,
    adminToken,
  };
  const server = createWebServer({ services, receiver, console, trustedProxies, ...options });
  const tickMs = watch ? undefined : 0;
  const moveWebhooks = connectors.repointWebhooks;
  const sealing = startAuditSealer({ db, keyring, log, tickMs });
  const parts = system.files.partsKeeper();
  parts.start();
  const watching = startConnectorWatch({ db, botApis, log, moveWebhooks, tickMs });
  return {
    listen: server.listen,
    close: async (graceMs) => {
      await server.close(graceMs);
      await Promise.all([watching.stop(), sealing.stop(), parts.stop(), stopIntake()]);
      failures.close();
    },
  };
}
