import { randomUUID } from "node:crypto";
import {
  type Database,
  type Keyring,
  type Logger,
  Problem,
  type Queryable,
  randomToken,
  sha256,
} from "../platform/index.ts";
import { type BotApi, BotApiError, type BotApiFactory } from "../telegram/index.ts";
import { type BotApis, tokenPlace } from "./bot-apis.ts";
import { type BotCommand, registerWebhook, removeWebhook } from "./webhook-registration.ts";

export interface NewConnector {
  name: string;
  botToken: string;
  description?: string;
}

export interface ConnectorView {
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
  warning?: string;
}

export interface ConnectorsOptions {
  db: Database;
  keyring: Keyring;
  botApi: BotApiFactory;
  botApis: BotApis;
  /** Where Telegram reaches this installation, without a slash at the end. */
  publicUrl: string;
  /** Registered with each bot. */
  commands: BotCommand[];
  log: Logger;
}

export interface Connectors {
  /**
   * Connects a bot: getMe, then the sealed row, then the webhook, then active. Throws `Problem`:
   * 422 when Telegram refuses the token, 409 when the bot is connected already, 502 when Telegram
   * could not be reached or did not take the webhook; nothing is left behind then.
   */
  connect(workspaceId: string, connector: NewConnector): Promise<ConnectorView>;
  /** `on`: the caller's transaction, which must not wait for a second connection. */
  get(workspaceId: string, id: string, on?: Queryable): Promise<ConnectorView | null>;
  list(workspaceId: string, page: { limit: number; afterId?: string }): Promise<ConnectorView[]>;
  /** Null when there is none. */
  update(
    workspaceId: string,
    id: string,
    change: { name?: string; description?: string },
  ): Promise<ConnectorView | null>;
  /**
   * Removes the webhook, then the credentials; what was said stays. A revoked token still
   * disconnects, with a warning. Null when there is none.
   */
  remove(workspaceId: string, id: string): Promise<RemovedConnector | null>;
  /** Telegram refuses the token: nothing is sent any more until it is replaced. */
  disable(connectorId: string, reason: string): Promise<void>;
  /** Registers the webhooks again that point elsewhere than `publicUrl`; answers how many. */
  repointWebhooks(): Promise<number>;
}

interface Me {
  id: number;
  username?: string;
  can_read_all_group_messages?: boolean;
}

interface ConnectorRow {
  workspace_id: string;
  id: string;
  name: string;
  description: string | null;
  status: ConnectorView["status"];
  status_detail: string | null;
  bot_id: string;
  username: string;
  can_read_all_group_messages: boolean;
  webhook_key: string;
  webhook_url: string | null;
}

const COLUMNS = `workspace_id, id, name, description, status, status_detail, bot_id, username,
  can_read_all_group_messages, webhook_key, webhook_url`;

const PRIVACY_WARNING =
  "Privacy mode is on: in groups this bot sees only commands, replies to it and mentions. " +
  "To let it see every message, turn privacy off with @BotFather (/setprivacy), then remove the " +
  "bot from each group and add it again, or make it an administrator there.";

export function createConnectors(options: ConnectorsOptions): Connectors {
  const { db, keyring, botApi, botApis, publicUrl, commands, log } = options;

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
      warnings: [...(row.can_read_all_group_messages ? [] : [PRIVACY_WARNING]), ...warnings],
    };
  }

  async function find(
    workspaceId: string,
    id: string,
    on: Queryable = db,
  ): Promise<ConnectorRow | undefined> {
    const rows = await on.query<ConnectorRow>(
      `SELECT ${COLUMNS} FROM connectors
       WHERE workspace_id = $1 AND id = $2 AND status <> 'removed'`,
      [workspaceId, id],
    );
    return rows[0];
  }

  /** The row is committed before Telegram is told, so the first update finds its connector. */
  async function insertPending(
    workspaceId: string,
    connector: NewConnector,
    me: Me,
    secret: string,
  ): Promise<ConnectorRow> {
    const id = randomUUID();
    const rows = await db.query<ConnectorRow>(
      `INSERT INTO connectors (workspace_id, id, name, description, status, bot_id, username,
         can_read_all_group_messages, token_sealed, webhook_key, secret_hash)
       VALUES ($1, $2, $3, $4, 'pending', $5, $6, $7, $8, $9, $10)
       ON CONFLICT (bot_id) WHERE status <> 'removed' DO NOTHING RETURNING ${COLUMNS}`,
      [
        workspaceId,
        id,
        connector.name,
        connector.description ?? null,
        me.id,
        me.username ?? "",
        me.can_read_all_group_messages ?? false,
        keyring.seal(connector.botToken, tokenPlace(workspaceId, id)),
        randomToken(),
        sha256(secret),
      ],
    );
    const row = rows[0];
    if (row === undefined) {
      throw new Problem(
        409,
        "Bot already connected",
        "This bot is connected already, here or in another workspace. A bot belongs to one workspace at a time: disconnect it there first.",
      );
    }
    return row;
  }

  /** A connect that a crash cut short holds the bot; the same workspace's next try replaces it. */
  async function removeUnfinished(workspaceId: string, botId: number): Promise<void> {
    await db.query(
      `DELETE FROM connectors WHERE workspace_id = $1 AND bot_id = $2 AND status = 'pending'
         AND created_at < now() - interval '1 min'`,
      [workspaceId, botId],
    );
  }

  async function registered(
    api: BotApi,
    row: ConnectorRow,
    secret: string,
  ): Promise<{ row: ConnectorRow; warnings: string[] }> {
    const webhookUrl = `${publicUrl}/webhooks/telegram/${row.webhook_key}`;
    const warnings = await registerWebhook(api, { webhookUrl, secret, commands });
    const [active] = await db.query<ConnectorRow>(
      `UPDATE connectors SET status = 'active', status_detail = NULL, webhook_url = $3,
         previous_secret_hash = NULL, updated_at = now()
       WHERE workspace_id = $1 AND id = $2 AND status <> 'removed' RETURNING ${COLUMNS}`,
      [row.workspace_id, row.id, webhookUrl],
    );
    return { row: active ?? row, warnings };
  }

  return {
    connect: async (workspaceId, connector) => {
      const api = botApi(connector.botToken);
      const me = await proveToken(api);
      await removeUnfinished(workspaceId, me.id);
      const secret = randomToken();
      const pending = await insertPending(workspaceId, connector, me, secret);
      try {
        const { row, warnings } = await registered(api, pending, secret);
        return view(row, warnings);
      } catch (error) {
        // Whether Telegram took the webhook may be unknown: take it back, then forget the bot.
        await removeWebhook(api).catch(() => {});
        await db.query(
          "DELETE FROM connectors WHERE workspace_id = $1 AND id = $2 AND status = 'pending'",
          [workspaceId, pending.id],
        );
        throw telegramProblem(error, "The webhook could not be registered");
      }
    },

    get: async (workspaceId, id, on) => {
      const row = await find(workspaceId, id, on);
      return row === undefined ? null : view(row);
    },

    list: async (workspaceId, page) => {
      const rows = await db.query<ConnectorRow>(
        `SELECT ${COLUMNS} FROM connectors
         WHERE workspace_id = $1 AND status <> 'removed' AND ($2::uuid IS NULL OR id > $2)
         ORDER BY id LIMIT $3`,
        [workspaceId, page.afterId ?? null, page.limit],
      );
      return rows.map((row) => view(row));
    },

    update: async (workspaceId, id, change) => {
      const [row] = await db.query<ConnectorRow>(
        `UPDATE connectors SET name = coalesce($3, name), description = coalesce($4, description),
           updated_at = now()
         WHERE workspace_id = $1 AND id = $2 AND status <> 'removed' RETURNING ${COLUMNS}`,
        [workspaceId, id, change.name ?? null, change.description ?? null],
      );
      return row === undefined ? null : view(row);
    },

    remove: async (workspaceId, id) => {
      if ((await find(workspaceId, id)) === undefined) return null;
      let warning: string | undefined;
      try {
        await removeWebhook(await botApis.forConnector(id));
      } catch (error) {
        log.warn({ err: error, connectorId: id }, "webhook could not be removed");
        warning =
          "Telegram did not take the webhook back" +
          `${error instanceof BotApiError ? ` (${error.kind})` : ""}. The credentials are removed ` +
          "here and its updates are refused. If the bot is still yours, revoke its token with " +
          "@BotFather (/revoke), which ends the webhook too.";
      }
      await db.query(
        `UPDATE connectors SET status = 'removed', status_detail = NULL, token_sealed = NULL,
           secret_hash = NULL, previous_secret_hash = NULL, webhook_url = NULL, updated_at = now()
         WHERE workspace_id = $1 AND id = $2`,
        [workspaceId, id],
      );
      return {
        removed: true,
        webhookRemoved: warning === undefined,
        ...(warning ? { warning } : {}),
      };
    },

    disable: async (connectorId, reason) => {
      await db.query(
        `UPDATE connectors SET status = 'disabled', status_detail = $2, updated_at = now()
         WHERE id = $1 AND status IN ('pending', 'active')`,
        [connectorId, reason],
      );
    },

    repointWebhooks: async () => {
      const rows = await db.query<ConnectorRow>(
        `SELECT ${COLUMNS} FROM connectors WHERE status = 'active'
           AND webhook_url IS DISTINCT FROM $1 || '/webhooks/telegram/' || webhook_key
         ORDER BY id LIMIT 1000`,
        [publicUrl],
      );
      let done = 0;
      for (const row of rows) {
        const secret = randomToken();
        // Both secrets are accepted until Telegram has confirmed the new one.
        await db.query(
          `UPDATE connectors SET previous_secret_hash = secret_hash, secret_hash = $3
           WHERE workspace_id = $1 AND id = $2 AND status = 'active'`,
          [row.workspace_id, row.id, sha256(secret)],
        );
        try {
          await registered(await botApis.forConnector(row.id), row, secret);
          done++;
        } catch (error) {
          log.warn({ err: error, connectorId: row.id }, "webhook could not be moved");
        }
      }
      return done;
    },
  };
}

/** Bot API: getMe. Throws `Problem` 422 when the token is refused. */
async function proveToken(api: BotApi): Promise<Me> {
  try {
    return await api.call<Me>("getMe", {}, { timeoutMs: 10_000 });
  } catch (error) {
    if (
      error instanceof BotApiError &&
      (error.kind === "unauthorized" || error.kind === "not-found")
    ) {
      throw new Problem(
        422,
        "Token refused",
        "Telegram refuses this bot token. Copy it again from @BotFather; nothing was stored.",
        { errors: [{ path: "botToken", message: "refused by Telegram" }] },
      );
    }
    throw telegramProblem(error, "The token could not be checked");
  }
}

function telegramProblem(error: unknown, what: string): unknown {
  if (!(error instanceof BotApiError)) return error;
  return new Problem(
    502,
    "Telegram did not do it",
    `${what}: ${error.description}. Nothing was stored; try again.`,
  );
}
