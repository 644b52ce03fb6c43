import { createClamd, createDownloadHandler } from "../src/evidence/index.ts";
import { createCallGate } from "../src/outbound/index.ts";
import type { Opened } from "./process.ts";
import type { System } from "./system.ts";

/** The pool that fetches what people hand in: a bot has four lanes, whose files come in any order. */
export async function startEvidence(system: System, opened: Opened): Promise<void> {
  const { config, db, jobs, botApis, connectors, metrics, log } = system;
  const vault = await system.files.vault();
  const keeper = await system.files.keeper();
  keeper.start();
  opened.add(keeper.stop);
  const botApiFor = (connectorId: string) => botApis.forConnector(connectorId);
  const handler = createDownloadHandler({
    db,
    jobs,
    vault,
    callNow: createCallGate({ db, botApiFor }),
    botApiFor,
    onUnauthorized: (connectorId, reason) => connectors.disable(connectorId, reason),
    localFiles: config.telegramLocalFiles,
    scanner: config.scanner === undefined ? undefined : createClamd(config.scanner),
    metrics,
    log,
  });
  await jobs.startPool("evidence", handler, { slots: 24, laneConcurrency: 4 });
}
