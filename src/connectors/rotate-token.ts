import type { RecordAudit } from "../audit/index.ts";
import {
  type Database,
  equalSecrets,
  type Keyring,
  type Logger,
  Problem,
  type Queryable,
  randomToken,
  SealError,
  sha256,
} from "../platform/index.ts";
import { BotApiError, type BotApiFactory } from "../telegram/index.ts";
import { tokenPlace } from "./bot-apis.ts";
import { COLUMNS, type ConnectorRow } from "./connector-row.ts";
import { isRefusal, type Me, proveToken, telegramProblem, tokenRefused } from "./prove-token.ts";
import {
  CLAIMABLE,
  CLAIMED,
  type Claim,
  claim,
  hashesBehind,
  Overtaken,
  type RegistrarOptions,
  register,
} from "./registrar.ts";

/**
 * A bot's token is replaced, in this order, so that a crash between two steps leaves a connector
 * that works or that the watch mends:
 *
 *   prove     getMe: the new token is good, and of the same bot
 *   replace   one statement overwrites the sealed token; from here on everything is called with the
 *             new one. The webhook counts as unregistered, a disabled connector is active again, and
 *             a claim with a fresh secret is taken unless somebody registers just now
 *   go on     sends that were paused for the old token
 *   register  setWebhook with the fresh secret; what fails is tried again by the watch
 *
 * The old token is not kept to fall back on: Telegram gave out the new one in its place, so the old
 * one was dead before this began.
 */
export interface RotationOptions extends RegistrarOptions {
  db: Database;
  keyring: Keyring;
  botApi: BotApiFactory;
  /** What was paused for the old token need not wait any longer. */
  onReplaced(connector: { workspaceId: string; connectorId: string }): Promise<unknown>;
  /** Told of every change, in its transaction. */
  audit: RecordAudit;
  log: Logger;
}

export interface Rotated {
  row: ConnectorRow;
  warnings: string[];
}

interface Found {
  bot_id: string;
  token_sealed: Buffer;
}

interface Held {
  status: string;
  token_sealed: Buffer;
  claimable: boolean;
}

const FIND = `/* connectors.find-bot */
SELECT bot_id, token_sealed FROM connectors WHERE workspace_id = $1 AND id = $2 AND status <> 'removed'`;

const READ = `/* connectors.after-rotation */
SELECT ${COLUMNS} FROM connectors WHERE workspace_id = $1 AND id = $2 AND status <> 'removed'`;

const HOLD = `/* connectors.hold-for-token */
SELECT status, token_sealed, ${CLAIMABLE} AS claimable FROM connectors
WHERE workspace_id = $1 AND id = $2 AND status <> 'removed' FOR UPDATE`;

/** Where somebody registers just now, the secret stays theirs: they confirm, or their claim runs out. */
const REPLACE = `/* connectors.replace-token */
UPDATE connectors SET token_sealed = $3, username = $5, can_read_all_group_messages = $6,
  webhook_url = NULL, status_detail = NULL, updated_at = now(),
  status = CASE status WHEN 'disabled' THEN 'active' ELSE status END,
  previous_secret_hashes = CASE WHEN $7 THEN ${hashesBehind("$4")} ELSE previous_secret_hashes END,
  secret_hash = CASE WHEN $7 THEN $4 ELSE secret_hash END,
  register_after = CASE WHEN $7 THEN ${CLAIMED} ELSE register_after END
WHERE workspace_id = $1 AND id = $2
RETURNING ${COLUMNS}`;

const REFUSED = `/* connectors.new-token-refused */
UPDATE connectors SET status = 'disabled', status_detail = $4, updated_at = now()
WHERE workspace_id = $1 AND id = $2 AND secret_hash = $3 AND status IN ('pending', 'active')
RETURNING 1 AS yes`;

/** Telegram did not take the webhook for certain: nobody need wait for the claim to run out. */
const RELEASE = `/* connectors.release-claim */
UPDATE connectors SET register_after = now() + $4 * interval '1 s'
WHERE workspace_id = $1 AND id = $2 AND secret_hash = $3`;

const AGAIN_AFTER_S = 5;

/**
 * Answers the connector as it is then, or null when there is none. Throws `Problem`: 422 when the
 * token is refused or another bot's; 409 while the connector is still being connected, or when
 * another token came first; 502 when Telegram could not be asked. Unless the text says otherwise,
 * nothing has changed then.
 */
export function createRotation(options: RotationOptions) {
  const { db, keyring, botApi, audit } = options;

  /** True when the record holds this very token already. */
  function holds(sealed: Buffer, [workspaceId, id]: readonly [string, string], token: string) {
    try {
      return equalSecrets(keyring.open(sealed, tokenPlace(workspaceId, id)).toString(), token);
    } catch (error) {
      if (error instanceof SealError) return false;
      throw error;
    }
  }

  /** `before`: the sealed token as it was when this one was not proven yet. */
  async function replace(
    ids: readonly [string, string],
    { botToken, me, before }: { botToken: string; me: Me; before: Buffer },
  ): Promise<{ claimed: Claim; isClaimed: boolean } | null> {
    let isClaimed = false;
    const [workspaceId, id] = ids;
    const claimed = await claim(randomToken(), (secretHash) =>
      db.transaction(async (tx) => {
        const [held] = await tx.query<Held>(HOLD, ids);
        if (held === undefined) return undefined;
        if (held.status === "pending" && !held.claimable) throw stillConnecting();
        // Of two new tokens the older one is dead, and only who gave it out knows which that is.
        const isOurs = held.token_sealed.equals(before) || holds(held.token_sealed, ids, botToken);
        if (!isOurs) throw replacedMeanwhile();
        isClaimed = held.claimable;
        const [row] = await tx.query<ConnectorRow>(REPLACE, [
          ...ids,
          keyring.seal(botToken, tokenPlace(workspaceId, id)),
          secretHash,
          me.username ?? "",
          me.can_read_all_group_messages ?? false,
          isClaimed,
        ]);
        await audit(tx, { workspaceId, action: "connector.token_replaced", subjectId: id });
        return row;
      }),
    );
    return claimed === undefined ? null : { claimed, isClaimed };
  }

  async function goOn([workspaceId, connectorId]: readonly [string, string]): Promise<void> {
    await options.onReplaced({ workspaceId, connectorId }).catch((error) => {
      options.log.warn({ err: error, connectorId }, "paused sends wait out their pause");
    });
  }

  return async (workspaceId: string, id: string, botToken: string): Promise<Rotated | null> => {
    const ids = [workspaceId, id] as const;
    const [connector] = await db.query<Found>(FIND, ids);
    if (connector === undefined) return null;
    const api = botApi(botToken);
    const me = await proveToken(api);
    if (String(me.id) !== connector.bot_id) throw anotherBot();
    const before = connector.token_sealed;
    const replaced = await replace(ids, { botToken, me, before });
    if (replaced === null) return null;
    const { claimed, isClaimed } = replaced;
    await goOn(ids);
    // Its view says that the webhook is not registered, and that it will be.
    if (!isClaimed) return { row: claimed.row, warnings: [] };
    try {
      return await register(options, api, claimed);
    } catch (error) {
      if (error instanceof Overtaken) return await asItIsNow(db, ids);
      return await withoutWebhook(options, claimed, error);
    } finally {
      // A drain whose calls were still under way with the old token may have put off the rest since.
      await goOn(ids);
    }
  };
}

/** Somebody changed the connector meanwhile: it may be removed, disabled, or to be registered again. */
async function asItIsNow(db: Queryable, ids: readonly [string, string]): Promise<Rotated | null> {
  const [row] = await db.query<ConnectorRow>(READ, ids);
  return row === undefined ? null : { row, warnings: [] };
}

/** The token is in use, its webhook is not: what the caller is told, and what is done about it. */
async function withoutWebhook(
  { db, audit }: RotationOptions,
  { row, secret }: Claim,
  error: unknown,
): Promise<Rotated> {
  const ours = [row.workspace_id, row.id, sha256(secret)];
  if (isRefusal(error)) {
    const detail = "Telegram refuses the bot's token; replace it in the connector.";
    await db.transaction(async (tx) => {
      const [disabled] = await tx.query(REFUSED, [...ours, detail]);
      if (disabled === undefined) return;
      const { workspace_id: workspaceId, id: subjectId } = row;
      await audit(tx, { workspaceId, action: "connector.disabled", subjectId });
    });
    throw tokenRefused("it was good a moment ago, and is stored, but the connector is disabled");
  }
  const isTelegrams = error instanceof BotApiError;
  if (isTelegrams && error.sent === "no") {
    await db.query(RELEASE, [...ours, Math.max(error.retryAfterSeconds ?? 0, AGAIN_AFTER_S)]);
  }
  if (row.status !== "active") throw telegramProblem(error, "The webhook could not be registered");
  if (!isTelegrams && !(error instanceof Problem)) throw error;
  const why = isTelegrams ? error.description : error.detail;
  return { row, warnings: [`The new token is in use. Telegram did not take the webhook: ${why}`] };
}

const anotherBot = () =>
  new Problem(
    422,
    "Another bot's token",
    "This token belongs to another bot than the connector's. To use that bot, connect it as a connector of its own; nothing was changed.",
    { errors: [{ path: "botToken", message: "belongs to another bot" }] },
  );

const replacedMeanwhile = () =>
  new Problem(
    409,
    "Token replaced meanwhile",
    "Somebody else replaced this connector's token at the same moment, and theirs is in use. Test the connection; should theirs be the older one, send yours again.",
  );

const stillConnecting = () =>
  new Problem(
    409,
    "Connector is being connected",
    "This connector is being connected at this moment; try again in two minutes. Nothing was changed.",
  );
