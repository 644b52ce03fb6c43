import { debugInForce } from "../src/connectors/index.ts";
import { createOutboundHandler } from "../src/outbound/index.ts";
import { createLookup } from "../src/platform/index.ts";
import { evidenceToSend } from "./evidence-services.ts";
import type { System } from "./system.ts";

/** The pool that sends: a lane a bot. */
export async function startOutbound(system: System): Promise<void> {
  const { config, db, jobs, botApis, connectors, metrics, log } = system;
  const debugOf = createLookup((ids: string[]) => debugInForce(db, ids));
  const handler = createOutboundHandler({
    db,
    botApiFor: (connectorId) => botApis.forConnector(connectorId),
    onUnauthorized: (connectorId, reason) => connectors.disable(connectorId, reason),
    debugFor: async (connectorId) => (await debugOf(connectorId)) ?? null,
    filesMaxBytes: config.sendFilesMaxBytes,
    evidence: evidenceToSend(system),
    metrics,
    log,
  });
  await jobs.startPool("outbound", handler, { slots: 50, laneConcurrency: 200 });
}
