import { type Database, Problem, type Queryable, sha256 } from "../platform/index.ts";
import type { BotApi } from "../telegram/index.ts";
import type { CommandList } from "./command-lists.ts";
import { hashOfLists } from "./command-menus.ts";
import { COLUMNS, type ConnectorRow } from "./connector-row.ts";
import {
  preparePolling,
  type RegistrationLimits,
  registerWebhook,
  removeWebhook,
} from "./webhook-registration.ts";

/**
 * A webhook's secret lives in two places that cannot change together: here as a hash, and at
 * Telegram. So that an update never meets a row that no longer knows its secret:
 *
 *   claim    one holder a connector: `register_after` moves ahead, and the new secret's hash is
 *            committed in front of all that came before it
 *   tell     setWebhook, not later than half the claim: a process that was stopped since says nothing
 *   confirm  where the row still holds this secret, older ones are dropped
 *
 * A try whose outcome nobody knows, or whose process died, leaves every hash; its claim runs out, and
 * the next try claims anew. One that finds another's secret when it confirms was overtaken: Telegram
 * may hold the secret of either, so the webhook is registered once more.
 */

/** Nobody else registers the same webhook within this time of the claim. */
export const CLAIM_MS = 120_000;
const TELL_WITHIN_MS = CLAIM_MS / 2;

/** A claim much further ahead than one can be was made before the clock went back. */
export const CLAIMABLE = `(register_after <= now()
  OR register_after > now() + 2 * ${CLAIM_MS} * interval '1 ms')`;
export const CLAIMED = `now() + ${CLAIM_MS} * interval '1 ms'`;

/** What `previous_secret_hashes` becomes when the hash that `secret` names comes first. */
export const hashesBehind = (secret: string) => `CASE WHEN secret_hash = ${secret}
  THEN previous_secret_hashes
  ELSE array_append(array_remove(previous_secret_hashes, ${secret}), secret_hash) END`;

/** A connector whose webhook this process alone may register now. */
export interface Claim {
  row: ConnectorRow;
  secret: string;
  /** By the monotonic clock. */
  tellUntilMs: number;
}

/** Claims with `attempt`, which answers the row where it may: its time counts from before. */
export async function claim(
  secret: string,
  attempt: (secretHash: Buffer) => Promise<ConnectorRow | undefined>,
): Promise<Claim | undefined> {
  const tellUntilMs = performance.now() + TELL_WITHIN_MS;
  const row = await attempt(sha256(secret));
  return row && { row, secret, tellUntilMs };
}

/** Somebody removed, disabled or registered the connector meanwhile. */
export class Overtaken extends Problem {
  constructor() {
    super(
      409,
      "Connector changed meanwhile",
      "The connector was removed, disabled or registered by somebody else while its webhook was registered.",
    );
  }
}

const CONFIRM = `/* connectors.confirm-webhook */
UPDATE connectors SET status = 'active', status_detail = NULL, webhook_url = $4,
  previous_secret_hashes = '{}', register_after = now(), updated_at = now(),
  commands_hash = coalesce($5, commands_hash)
WHERE workspace_id = $1 AND id = $2 AND secret_hash = $3 AND status IN ('pending', 'active')
RETURNING ${COLUMNS}`;

const REGISTER_AGAIN = `/* connectors.register-again */
UPDATE connectors SET webhook_url = NULL WHERE bot_id = $1 AND status = 'active' RETURNING 1 AS yes`;

const IS_CONNECTED = `/* connectors.is-connected */
SELECT 1 AS yes FROM connectors WHERE bot_id = $1 AND status <> 'removed'`;

export interface RegistrarOptions {
  db: Database;
  /** Null: updates are asked for (polling mode), and no bot has a webhook. */
  publicUrl: string | null;
  commands: readonly CommandList[];
  /** Called in the transaction that confirms. */
  confirmed?(tx: Queryable, row: ConnectorRow): Promise<void>;
}

/**
 * Tells Telegram and confirms. Throws `BotApiError` or `Problem`; `Overtaken` where the connector is
 * not this claim's any more, once that has been mended.
 */
export async function register(
  { db, publicUrl, commands, confirmed }: RegistrarOptions,
  api: BotApi,
  { row, secret, tellUntilMs }: Claim,
  signal?: AbortSignal,
): Promise<{ row: ConnectorRow; warnings: string[] }> {
  const webhookUrl = publicUrl && `${publicUrl}/webhooks/telegram/${row.webhook_key}`;
  const limits: RegistrationLimits = { tellUntilMs, signal };
  const { warnings, hasCommands } = webhookUrl
    ? await registerWebhook(api, { webhookUrl, secret, commands }, limits)
    : await preparePolling(api, { commands }, limits);
  const commandsHash = hasCommands ? hashOfLists(commands) : null;
  const values = [row.workspace_id, row.id, sha256(secret), webhookUrl, commandsHash];
  const active = await db.transaction(async (tx) => {
    const [confirmedRow] = await tx.query<ConnectorRow>(CONFIRM, values);
    if (confirmedRow !== undefined) await confirmed?.(tx, confirmedRow);
    return confirmedRow;
  });
  if (active !== undefined) return { row: active, warnings };
  const again = await db.query(REGISTER_AGAIN, [row.bot_id]);
  const isConnected = again.length > 0 || (await db.query(IS_CONNECTED, [row.bot_id])).length > 0;
  // Removed meanwhile, and perhaps its webhook before it was registered here.
  if (!isConnected) await removeWebhook(api, limits).catch(() => {});
  throw new Overtaken();
}
