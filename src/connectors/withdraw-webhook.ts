import type { Queryable } from "../platform/index.ts";
import type { BotApis } from "./bot-apis.ts";
import { CLAIM_MS, CLAIMABLE, CLAIMED } from "./registrar.ts";
import { removeWebhook } from "./webhook-registration.ts";

/**
 * Forgets the address first: should this process die in between, the webhook is one to be registered
 * (again), and never one that is believed to be there and is not. The claim keeps a registration out
 * that would be confirmed just before Telegram hears of this.
 */
const CLAIM = `/* connectors.claim-withdrawal */
UPDATE connectors SET webhook_url = NULL, register_after = ${CLAIMED}
WHERE id = $1 AND status = 'active' AND ${CLAIMABLE} RETURNING register_after::text AS claim`;

const END_CLAIM = `/* connectors.end-withdrawal */
UPDATE connectors SET register_after = now() WHERE id = $1 AND register_after = $2::timestamptz`;

/**
 * Takes a bot's webhook back (Bot API: deleteWebhook, with what waits kept). False when somebody
 * registers or withdraws it at this moment, or the connector is not active. Throws `BotApiError`.
 */
export async function withdrawWebhook(
  { db, botApis }: { db: Queryable; botApis: BotApis },
  connectorId: string,
  signal?: AbortSignal,
): Promise<boolean> {
  const tellUntilMs = performance.now() + CLAIM_MS / 2;
  const [claimed] = await db.query<{ claim: string }>(CLAIM, [connectorId]);
  if (claimed === undefined) return false;
  try {
    await removeWebhook(await botApis.forConnector(connectorId), { tellUntilMs, signal });
  } finally {
    await db.query(END_CLAIM, [connectorId, claimed.claim]);
  }
  return true;
}
