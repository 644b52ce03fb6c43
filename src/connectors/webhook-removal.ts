import type { Queryable } from "../platform/index.ts";
import type { BotApi } from "../telegram/index.ts";
import type { BotApis } from "./bot-apis.ts";
import { removeWebhook } from "./webhook-registration.ts";

/** Every claim and every confirmation moves it; a removed connector has none of either. */
const REGISTERED = `/* connectors.registered */
SELECT register_after::text AS at FROM connectors WHERE id = $1`;

/**
 * Takes a webhook back before its connector's credentials are removed. Somebody who registers it in
 * between (the watch, in another process) would leave it at Telegram for good, with nobody left who
 * could take it back: one who confirms after the removal sees that and undoes it (registrar.ts), one
 * who confirmed before it is found here.
 */
export function createWebhookRemoval(db: Queryable, botApis: BotApis, connectorId: string) {
  let api: BotApi | undefined;
  let registeredAt: string | undefined;
  const lastRegistered = async () =>
    (await db.query<{ at: string }>(REGISTERED, [connectorId]))[0]?.at;
  return {
    /** Throws `BotApiError`, or what `forConnector` throws. */
    remove: async (): Promise<void> => {
      registeredAt = await lastRegistered();
      api = await botApis.forConnector(connectorId);
      await removeWebhook(api);
    },
    /** To be called when the connector is removed. Never fails. */
    removeIfRegisteredSince: async (): Promise<void> => {
      if (api === undefined || (await lastRegistered().catch(() => "")) === registeredAt) return;
      await removeWebhook(api).catch(() => {});
    },
  };
}
