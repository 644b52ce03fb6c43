import type { Migration } from "../src/platform/migration.ts";

/** Tenants, their keys and their bots. Secrets are kept sealed (token) or as SHA-256 only. */
export const migration: Migration = {
  name: "0001_workspaces",
  async up(knex) {
    await knex.raw(`
      CREATE TABLE workspaces (
        id         uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
        name       text        NOT NULL CHECK (name <> ''),
        created_at timestamptz NOT NULL DEFAULT now()
      );

      CREATE TABLE api_keys (
        workspace_id uuid        NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
        id           uuid        NOT NULL DEFAULT gen_random_uuid(),
        key_hash     bytea       NOT NULL UNIQUE CHECK (length(key_hash) = 32),
        name         text        NOT NULL CHECK (name <> ''),
        scopes       text[]      NOT NULL CHECK (
          scopes <> '{}' AND scopes <@ ARRAY['read', 'send', 'manage', 'approve', 'audit']),
        created_at   timestamptz NOT NULL DEFAULT now(),
        expires_at   timestamptz,
        -- To the hour: a key in use costs a write now and then, not one a call.
        last_used_at timestamptz,
        revoked_at   timestamptz,
        PRIMARY KEY (workspace_id, id)
      );

      -- pending: committed before Telegram knows the webhook; active: Telegram confirmed it;
      -- disabled: Telegram refuses the token; removed: disconnected, its history is kept.
      CREATE TABLE connectors (
        workspace_id           uuid        NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
        id                     uuid        NOT NULL UNIQUE,
        name                   text        NOT NULL CHECK (name <> ''),
        description            text,
        status                 text        NOT NULL CHECK (status IN ('pending', 'active', 'disabled', 'removed')),
        status_detail          text,
        bot_id                 bigint      NOT NULL,
        username               text        NOT NULL,
        can_read_all_group_messages boolean NOT NULL,
        token_sealed           bytea,
        webhook_key            text        NOT NULL UNIQUE,
        -- The newest secret, and every older one that Telegram may still hold: dropped when it has
        -- confirmed a newer one, not before.
        secret_hash            bytea       CHECK (length(secret_hash) = 32),
        previous_secret_hashes bytea[]     NOT NULL DEFAULT '{}',
        -- What Telegram confirmed; null: it is to be registered (again).
        webhook_url            text,
        -- Who registers the webhook moves this ahead first: nobody else does so before.
        register_after         timestamptz NOT NULL DEFAULT now(),
        -- Of the command lists that Telegram took last; null: none of this version's.
        commands_hash          bytea       CHECK (length(commands_hash) = 32),
        -- Who may talk to the bot, and whether what others say is kept.
        access_level           text        NOT NULL DEFAULT 'everyone'
          CHECK (access_level IN ('everyone', 'members', 'agents', 'named')),
        save_denied            boolean     NOT NULL DEFAULT false,
        -- -1: no sessions; 0: they never end.
        session_hours          integer     NOT NULL DEFAULT 0 CHECK (session_hours BETWEEN -1 AND 8760),
        default_chat_id        text,
        -- A chat by kind of notification.
        notification_chats     jsonb       NOT NULL DEFAULT '{}'
          CHECK (jsonb_typeof(notification_chats) = 'object'),
        max_message_length     integer     NOT NULL DEFAULT 4096
          CHECK (max_message_length BETWEEN 1 AND 4096),
        -- Messages a second at most, whatever Telegram would take.
        max_send_rate          integer     NOT NULL DEFAULT 30
          CHECK (max_send_rate BETWEEN 1 AND 1000),
        -- {perSecond, perDay}: what broadcasts may cost; null: nothing.
        paid_broadcasts        jsonb,
        -- {level, apiTimeout, retryAttempts, detailedLogs, until}; over when until is.
        debug                  jsonb       CHECK (debug IS NULL OR debug ->> 'until' IS NOT NULL),
        created_at             timestamptz NOT NULL DEFAULT now(),
        updated_at             timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, id),
        -- A connector has its credentials as long as it is connected, and none after that.
        CHECK ((token_sealed IS NULL) = (status = 'removed')),
        CHECK ((secret_hash IS NULL) = (status = 'removed')),
        CHECK (previous_secret_hashes = '{}' OR status <> 'removed')
      );
      -- A bot belongs to one connector of one workspace at a time.
      CREATE UNIQUE INDEX connectors_bot ON connectors (bot_id) WHERE status <> 'removed';

      CREATE TABLE idempotency_keys (
        workspace_id uuid        NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
        key          text        NOT NULL,
        call         text        NOT NULL,
        body_hash    bytea       NOT NULL CHECK (length(body_hash) = 32),
        status       smallint,
        answer       jsonb,
        created_at   timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, key, call),
        CHECK ((status IS NULL) = (answer IS NULL))
      );
      CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);
    `);
  },
};
