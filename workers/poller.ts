import { createBotApis } from "../src/connectors/index.ts";
import { MAX_BOTS, type Poller, startPoller } from "../src/polling/index.ts";
import { createBotApiFactory } from "../src/telegram/index.ts";
import { openIntake } from "./intake.ts";
import type { System } from "./system.ts";

/** Beside the requests that wait for updates: those about webhooks. */
const SPARE_SOCKETS = 20;

/**
 * What asks Telegram for updates. Its requests wait for half a minute each, so they have connections
 * of their own: what is sent must never queue behind them.
 */
export function openPoller(system: System): Poller {
  const { db, keyring, connectors, config, metrics, log } = system;
  const maxSockets = MAX_BOTS + SPARE_SOCKETS;
  const botApi = createBotApiFactory({ apiRoot: config.telegramApiRoot, maxSockets });
  const botApis = createBotApis({ db, keyring, botApi });
  const { intake, stop: stopIntake } = openIntake(system);
  const poller = startPoller({
    db,
    botApis,
    intake,
    connectors: {
      disable: (id, reason) => connectors.disable(id, reason, botApis.refusedToken(id)),
      withdrawWebhook: connectors.withdrawWebhook,
    },
    metrics,
    log,
  });
  return {
    get bots() {
      return poller.bots;
    },
    stop: async (graceMs) => {
      await poller.stop(graceMs);
      await stopIntake();
    },
  };
}
