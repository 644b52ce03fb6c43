import { randomUUID } from "node:crypto";
import type { AuditAction, AuditValue, RecordAudit } from "../audit/index.ts";
import {
  type Database,
  type Keyring,
  type Logger,
  Problem,
  type Queryable,
  randomToken,
  sha256,
  type Transactor,
} from "../platform/index.ts";
import { type BotApi, BotApiError, type BotApiFactory } from "../telegram/index.ts";
import { type BotApis, tokenPlace } from "./bot-apis.ts";
import type { CommandList } from "./command-lists.ts";
import { createCommandMenus } from "./command-menus.ts";
import { COLUMNS, type ConnectorRow } from "./connector-row.ts";
import {
  beginSettings,
  type ConnectorSettings,
  settingsFrom,
  settingsParam,
  settingsView,
} from "./connector-settings.ts";
import { createWebhookMoves } from "./move-webhooks.ts";
import { type Me, proveToken, telegramProblem } from "./prove-token.ts";
import { CLAIMABLE, CLAIMED, type Claim, claim, hashesBehind, register } from "./registrar.ts";
import { createRotation } from "./rotate-token.ts";
import { chatWarnings, standingWarnings } from "./standing-warnings.ts";
import { type CallNow, type ConnectionTest, testConnection } from "./test-connection.ts";
import type { WaitingSends } from "./waiting-sends.ts";
import { removeWebhook } from "./webhook-registration.ts";
import { createWebhookRemoval } from "./webhook-removal.ts";
import { withdrawWebhook } from "./withdraw-webhook.ts";

export interface NewConnector extends Partial<ConnectorSettings> {
  name: string;
  botToken: string;
  description?: string;
}

export interface ConnectorView extends ConnectorSettings {
  id: string;
  name: string;
  description: string | null;
  status: "pending" | "active" | "disabled";
  statusDetail: string | null;
  bot: { id: string; username: string; canReadAllGroupMessages: boolean };
  webhookUrl: string | null;
  /** In words for a team lead: what would surprise them, and what to do. */
  warnings: string[];
}

export interface RemovedConnector {
  removed: true;
  webhookRemoved: boolean;
  /** Messages that waited to be sent, and will not be. */
  sendsCancelled: number;
  warning?: string;
}

export interface ConnectorsOptions {
  /**
   * What one workspace reads and sets of its connectors is done as that tenant. Whatever touches
   * credentials, or asks whether the bot is another workspace's, is the engine's.
   */
  db: Database;
  keyring: Keyring;
  botApi: BotApiFactory;
  botApis: BotApis;
  /** Where Telegram reaches this installation, without a slash at the end; null: polling mode. */
  publicUrl: string | null;
  /** Registered with each bot, by scope and language. */
  commands: readonly CommandList[];
  sends: WaitingSends;
  /** How a message of the connection test is sent. Default: whatever Telegram holds. */
  callNow?: CallNow;
  /** Told of every change, in its transaction. */
  audit: RecordAudit;
  log: Logger;
}

export interface Connectors {
  /**
   * Connects a bot: getMe, then the sealed row, then the webhook, then active. Throws `Problem`:
   * 422 when Telegram refuses the token, 409 when the bot is connected already, 502 when Telegram
   * could not be reached or did not take the webhook; the bot is free again then, and what is left
   * is a removed connector, for updates that came meanwhile. A connect that was cut short goes on:
   * the next one of the same workspace takes its row, with all that was received.
   */
  connect(workspaceId: string, connector: NewConnector): Promise<ConnectorView>;
  /** `on`: the caller's transaction, which must not wait for a second connection. */
  get(workspaceId: string, id: string, on?: Queryable): Promise<ConnectorView | null>;
  /** The same, with what is wrong in its chats among the warnings. */
  describe(workspaceId: string, id: string): Promise<ConnectorView | null>;
  list(workspaceId: string, page: { limit: number; afterId?: string }): Promise<ConnectorView[]>;
  /** Null when there is none. */
  update(
    workspaceId: string,
    id: string,
    change: { name?: string; description?: string } & Partial<ConnectorSettings>,
  ): Promise<ConnectorView | null>;
  /** Replaces the bot's token: see rotate-token.ts for the `Problem`s it throws. Null when there is none. */
  rotate(workspaceId: string, id: string, botToken: string): Promise<ConnectorView | null>;
  /** Tests the connection at Telegram, step by step. Null when there is none. */
  test(workspaceId: string, id: string): Promise<ConnectionTest | null>;
  /**
   * Removes the webhook, then the credentials; what waits to be sent is cancelled, what was said stays. A revoked token still
   * disconnects, with a warning. Null when there is none.
   */
  remove(workspaceId: string, id: string): Promise<RemovedConnector | null>;
  /**
   * Telegram refuses the token: nothing is sent any more until it is replaced. `refused`: the sealed
   * token it is about, so that one that took its place is not hit; default: the one that `botApis`
   * was refused with last.
   */
  disable(connectorId: string, reason: string, refused?: Buffer): Promise<void>;
  /**
   * Registers the webhooks again that point elsewhere than `publicUrl`; answers how many. What fails
   * is for a later call. `signal` ends it early. None in polling mode.
   */
  repointWebhooks(signal?: AbortSignal): Promise<number>;
  /** Sets the command lists of bots that have others; answers of how many (command-menus.ts). */
  refreshCommands(signal?: AbortSignal): Promise<number>;
  /**
   * Takes a bot's webhook back, for a poller that is about to ask for its updates; those that wait
   * at Telegram stay there. False when somebody registers it at this moment. Throws `BotApiError`.
   */
  withdrawWebhook(connectorId: string, signal?: AbortSignal): Promise<boolean>;
}

type ConnectorAction = Extract<AuditAction, `connector.${string}`>;

const INSERT_PENDING = `/* connectors.insert */
INSERT INTO connectors (workspace_id, id, name, description, username, can_read_all_group_messages,
  token_sealed, secret_hash, bot_id, webhook_key, status, register_after)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'pending', ${CLAIMED})
ON CONFLICT (bot_id) WHERE status <> 'removed' DO NOTHING RETURNING ${COLUMNS}`;

const FIND_UNFINISHED = `/* connectors.find-unfinished */
SELECT id FROM connectors
WHERE workspace_id = $1 AND bot_id = $2 AND status = 'pending' AND ${CLAIMABLE}`;

const ADOPT = `/* connectors.adopt */
UPDATE connectors SET name = $3, description = $4, username = $5, can_read_all_group_messages = $6,
  token_sealed = $7, previous_secret_hashes = ${hashesBehind("$8")}, secret_hash = $8,
  register_after = ${CLAIMED}, updated_at = now()
WHERE workspace_id = $1 AND id = $2 AND status = 'pending' AND ${CLAIMABLE}
RETURNING ${COLUMNS}`;

/** The history stays, the credentials go. */
const REMOVED = `status = 'removed', status_detail = NULL, token_sealed = NULL, secret_hash = NULL,
  previous_secret_hashes = '{}', webhook_url = NULL, updated_at = now()`;

const IS_OURS = `/* connectors.is-ours */
SELECT 1 AS yes FROM connectors
WHERE workspace_id = $1 AND id = $2 AND secret_hash = $3 AND status IN ('pending', 'disabled')`;

const GIVE_UP = `/* connectors.give-up */
UPDATE connectors SET ${REMOVED}
WHERE workspace_id = $1 AND id = $2 AND secret_hash = $3 AND status IN ('pending', 'disabled')
RETURNING ${COLUMNS}`;

export function createConnectors(options: ConnectorsOptions): Connectors {
  const { db, keyring, botApi, botApis, publicUrl, commands, sends, audit, log } = options;
  const isPolling = publicUrl === null;

  function view(row: ConnectorRow, warnings: string[] = []): ConnectorView {
    return {
      id: row.id,
      name: row.name,
      description: row.description,
      status: row.status,
      statusDetail: row.status_detail,
      bot: {
        id: row.bot_id,
        username: row.username,
        canReadAllGroupMessages: row.can_read_all_group_messages,
      },
      webhookUrl: row.webhook_url,
      ...settingsView(row),
      warnings: [...standingWarnings(row, isPolling), ...warnings],
    };
  }

  async function find(
    workspaceId: string,
    id: string,
    on: Queryable = db.asTenant(workspaceId),
  ): Promise<ConnectorRow | undefined> {
    const rows = await on.query<ConnectorRow>(
      `SELECT ${COLUMNS} FROM connectors
       WHERE workspace_id = $1 AND id = $2 AND status <> 'removed'`,
      [workspaceId, id],
    );
    return rows[0];
  }

  /** A change of one connector, with its entry; undefined where the statement met none. */
  const changed = (
    action: ConnectorAction,
    sql: string,
    values: readonly unknown[],
    { details, on = db }: { details?: Record<string, AuditValue>; on?: Transactor } = {},
  ): Promise<ConnectorRow | undefined> =>
    on.transaction(async (tx) => {
      const [row] = await tx.query<ConnectorRow>(sql, values);
      if (row === undefined) return undefined;
      await audit(tx, { workspaceId: row.workspace_id, action, subjectId: row.id, details });
      return row;
    });

  const describe = (connector: NewConnector, me: Me) => [
    connector.name,
    connector.description ?? null,
    me.username ?? "",
    me.can_read_all_group_messages ?? false,
  ];

  /** The row is committed before Telegram is told, so the first update finds its connector. */
  const insertPending = (workspaceId: string, connector: NewConnector, me: Me, secret: string) =>
    claim(secret, async (secretHash) => {
      const id = randomUUID();
      const values = [
        workspaceId,
        id,
        ...describe(connector, me),
        keyring.seal(connector.botToken, tokenPlace(workspaceId, id)),
        secretHash,
        me.id,
        randomToken(),
      ];
      return changed("connector.added", INSERT_PENDING, values);
    });

  /**
   * A connect that a crash cut short holds the bot, and its webhook may have taken updates. The next
   * try of the same workspace goes on with its row: same id, same address, one more secret.
   */
  const adoptUnfinished = (workspaceId: string, connector: NewConnector, me: Me, secret: string) =>
    claim(secret, async (secretHash) => {
      const [unfinished] = await db.query<{ id: string }>(FIND_UNFINISHED, [workspaceId, me.id]);
      if (unfinished === undefined) return undefined;
      const values = [
        workspaceId,
        unfinished.id,
        ...describe(connector, me),
        keyring.seal(connector.botToken, tokenPlace(workspaceId, unfinished.id)),
        secretHash,
      ];
      return changed("connector.added", ADOPT, values, { details: { adopted: true } });
    });

  /**
   * Whether Telegram took the webhook may be unknown: take it back, then let the bot go. The row
   * stays: an update that was accepted meanwhile is nobody's to drop.
   */
  async function giveUp(api: BotApi, { row, secret, tellUntilMs }: Claim): Promise<void> {
    const ours = [row.workspace_id, row.id, sha256(secret)];
    if ((await db.query(IS_OURS, ours)).length === 0) return;
    await removeWebhook(api, { tellUntilMs }).catch(() => {});
    await changed("connector.abandoned", GIVE_UP, ours);
  }

  const registrar = { db, publicUrl, commands };
  const moveWebhooks =
    publicUrl === null
      ? async () => 0
      : createWebhookMoves({ ...registrar, publicUrl, botApis, log });
  const onReplaced = sends.resume;
  const rotate = createRotation({ ...registrar, db, keyring, botApi, onReplaced, audit, log });

  return {
    connect: async (workspaceId, connector) => {
      const api = botApi(connector.botToken);
      const me = await proveToken(api);
      const secret = randomToken();
      const adopted = await adoptUnfinished(workspaceId, connector, me, secret);
      const claimed = adopted ?? (await insertPending(workspaceId, connector, me, secret));
      if (claimed === undefined) throw connectedAlready();
      await beginSettings(db, { workspaceId, id: claimed.row.id }, connector);
      try {
        const confirmed = (tx: Queryable, { id }: ConnectorRow) =>
          audit(tx, { workspaceId, action: "connector.connected", subjectId: id });
        const { row, warnings } = await register({ ...registrar, confirmed }, api, claimed);
        return view(row, warnings);
      } catch (error) {
        // An unfinished connect stays one, for the next try: it may have received updates.
        if (adopted === undefined) await giveUp(api, claimed);
        const what = isPolling ? "The bot could not be set up" : WEBHOOK_FAILED;
        throw telegramProblem(error, what);
      }
    },

    get: async (workspaceId, id, on) => {
      const row = await find(workspaceId, id, on);
      return row === undefined ? null : view(row);
    },

    describe: async (workspaceId, id) => {
      const row = await find(workspaceId, id);
      if (row === undefined) return null;
      return view(row, await chatWarnings(db.asTenant(workspaceId), row));
    },

    list: async (workspaceId, page) => {
      const rows = await db.asTenant(workspaceId).query<ConnectorRow>(
        `SELECT ${COLUMNS} FROM connectors
         WHERE workspace_id = $1 AND status <> 'removed' AND ($2::uuid IS NULL OR id > $2)
         ORDER BY id LIMIT $3`,
        [workspaceId, page.afterId ?? null, page.limit],
      );
      return rows.map((row) => view(row));
    },

    update: async (workspaceId, id, change) => {
      const row = await changed(
        "connector.updated",
        `UPDATE connectors SET name = coalesce($3, name), description = coalesce($4, description),
           ${settingsFrom("$5")}, updated_at = now()
         WHERE workspace_id = $1 AND id = $2 AND status <> 'removed' RETURNING ${COLUMNS}`,
        [workspaceId, id, change.name ?? null, change.description ?? null, settingsParam(change)],
        { details: { fields: Object.keys(change) }, on: db.asTenant(workspaceId) },
      );
      return row === undefined ? null : view(row);
    },

    rotate: async (workspaceId, id, botToken) => {
      const rotated = await rotate(workspaceId, id, botToken);
      return rotated && view(rotated.row, rotated.warnings);
    },

    test: async (workspaceId, id) => {
      const row = await find(workspaceId, id);
      if (row === undefined) return null;
      const own = db.asTenant(workspaceId);
      // It may send a message.
      await audit(own, { workspaceId, action: "connector.tested", subjectId: id });
      return testConnection({ db: own, botApis, isPolling, callNow: options.callNow }, row);
    },

    remove: async (workspaceId, id) => {
      if ((await find(workspaceId, id)) === undefined) return null;
      const webhook = createWebhookRemoval(db, botApis, id);
      let warning: string | undefined;
      try {
        await webhook.remove();
      } catch (error) {
        log.warn({ err: error, connectorId: id }, "webhook could not be removed");
        warning =
          "Telegram did not take the webhook back" +
          `${error instanceof BotApiError ? ` (${error.kind})` : ""}. The credentials are removed ` +
          "here and its updates are refused. If the bot is still yours, revoke its token with " +
          "@BotFather (/revoke), which ends the webhook too.";
      }
      await changed(
        "connector.removed",
        `UPDATE connectors SET ${REMOVED}
         WHERE workspace_id = $1 AND id = $2 AND status <> 'removed' RETURNING ${COLUMNS}`,
        [workspaceId, id],
        { details: { webhookRemoved: warning === undefined } },
      );
      await webhook.removeIfRegisteredSince();
      const waiting = sends.cancel({ workspaceId, connectorId: id }).catch((error) => {
        log.warn({ err: error, connectorId: id }, "waiting sends fail one by one");
        return 0;
      });
      return {
        removed: true,
        webhookRemoved: warning === undefined,
        sendsCancelled: await waiting,
        ...(warning ? { warning } : {}),
      };
    },

    disable: async (connectorId, reason, refused = botApis.refusedToken(connectorId)) => {
      await changed(
        "connector.disabled",
        `UPDATE connectors SET status = 'disabled', status_detail = $2, updated_at = now()
         WHERE id = $1 AND status IN ('pending', 'active')
           AND ($3::bytea IS NULL OR token_sealed = $3) RETURNING ${COLUMNS}`,
        [connectorId, reason, refused ?? null],
      );
    },

    repointWebhooks: moveWebhooks,
    refreshCommands: createCommandMenus({ db, botApis, commands, log }),

    withdrawWebhook: (connectorId, signal) => withdrawWebhook({ db, botApis }, connectorId, signal),
  };
}

const WEBHOOK_FAILED = "The webhook could not be registered";

const connectedAlready = () =>
  new Problem(
    409,
    "Bot already connected",
    "This bot is connected already, here or in another workspace, or a connect that was cut short ended less than two minutes ago. A bot belongs to one workspace at a time: disconnect it there first.",
  );
