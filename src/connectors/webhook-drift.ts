import { recordAudit } from "../audit/index.ts";
import type { Transaction } from "../platform/index.ts";
import { kindsMissing, misdirected, type WebhookInfo } from "./webhook-state.ts";

/**
 * A webhook that is not as it was registered any more: something else uses the bot's token. It is
 * written down, and registered again, by being marked as not registered (move-webhooks.ts); the next
 * time only after twice as long, up to an hour, so that two systems that fight over a bot don't do so
 * all day.
 */
export interface Drift {
  what: string;
  /** Only kinds are missing. A Bot API server that is older than this code knows fewer for good. */
  isOfKinds: boolean;
}

/** What is not as registered; null: nothing is, or it is to be registered anyway. Pure. */
export function driftOfWebhook(
  info: WebhookInfo,
  registered: string | null,
  kinds: readonly string[],
): Drift | null {
  if (registered === null) return null;
  const elsewhere = misdirected(info, registered);
  if (elsewhere !== null) return { what: elsewhere, isOfKinds: false };
  const missing = kindsMissing(info, kinds);
  if (missing.length === 0) return null;
  return { what: `Telegram does not deliver any more: ${missing.join(", ")}.`, isOfKinds: true };
}

/** Kinds that were registered again for nothing are not tried again the same day. */
const RECORD = `/* connectors.record-drift */
UPDATE connector_watch SET drift = $2, drift_at = now(),
  drifts = CASE WHEN drift_at > now() - interval '1 day' THEN drifts + 1 ELSE 1 END
WHERE connector_id = $1
  AND (drift_at IS NULL OR drift_at <= now() - least(60, power(2, drifts)) * interval '1 min')
  AND ($3 AND drift = $2 AND drift_at > now() - interval '1 day') IS NOT TRUE
RETURNING drifts`;

/** Where somebody has registered it since it was looked at, there is nothing to do. */
const UNREGISTER = `/* connectors.drifted */
UPDATE connectors SET webhook_url = NULL
WHERE id = $1 AND status = 'active' AND webhook_url = $2
RETURNING workspace_id`;

/** Writes a drift down and has the webhook registered again; answers how often that was today, or null. */
export async function repairDrift(
  tx: Transaction,
  connectorId: string,
  registered: string | null,
  drift: Drift,
): Promise<number | null> {
  const params = [connectorId, drift.what, drift.isOfKinds];
  const [recorded] = await tx.query<{ drifts: number }>(RECORD, params);
  if (recorded === undefined) return null;
  const [drifted] = await tx.query<{ workspace_id: string }>(UNREGISTER, [connectorId, registered]);
  if (drifted !== undefined) {
    await recordAudit(tx, {
      workspaceId: drifted.workspace_id,
      action: "connector.webhook_drifted",
      subjectId: connectorId,
      details: { isOfKinds: drift.isOfKinds },
    });
  }
  return recorded.drifts;
}
