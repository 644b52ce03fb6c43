import type { Migration } from "../src/platform/migration.ts";
import { tenantTable } from "./tenant-table.ts";

/** What a workspace's own calls do there; the rest is the feeder's, and ingest's. */
const TENANT_MAY = {
  broadcasts: "SELECT, INSERT, UPDATE (state, due_at, finished_at, recipients, opted_out)",
  broadcast_recipients: "SELECT, INSERT",
  broadcast_opt_outs: "SELECT, INSERT, DELETE",
  chat_tags: "SELECT, INSERT, DELETE",
};

/** One text to many chats, who wants none of them, and how chats are told apart. */
export const migration: Migration = {
  name: "0014_broadcasts",
  async up(knex) {
    await knex.raw(`
      CREATE TABLE broadcasts (
        workspace_id uuid        NOT NULL,
        id           uuid        NOT NULL,
        -- The order in which they are listed.
        number       bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
        connector_id uuid        NOT NULL,
        -- What is said, as a new message has it, but for where and when.
        message      jsonb       NOT NULL,
        -- Null: chats were named.
        segment      jsonb,
        state        text        NOT NULL CHECK (
          state IN ('awaiting_approval', 'running', 'paused', 'cancelled', 'rejected', 'done')),
        send_at      timestamptz,
        -- The message by which it is approved.
        sample_id    uuid,
        -- As outbound_messages.submitted_by.
        created_by   text        NOT NULL,
        created_at   timestamptz NOT NULL DEFAULT now(),
        finished_at  timestamptz,
        -- Why it ended though nobody ended it.
        error        text,
        recipients   integer     NOT NULL DEFAULT 0,
        -- Of those: messages by now, and chats that get none.
        fed          integer     NOT NULL DEFAULT 0 CHECK (fed >= 0),
        opted_out    integer     NOT NULL DEFAULT 0,
        unreachable  integer     NOT NULL DEFAULT 0,
        -- Messages that are to be outstanding, those that were when the feeder looked, and what it
        -- added since: by what is gone at its next look it knows how fast they go.
        target       integer     NOT NULL DEFAULT 0,
        outstanding  integer     NOT NULL DEFAULT 0,
        looked_at    timestamptz,
        -- When the feeder has something to do for it; null: nothing.
        due_at       timestamptz,
        PRIMARY KEY (workspace_id, id),
        CONSTRAINT broadcasts_connector FOREIGN KEY (workspace_id, connector_id)
          REFERENCES connectors (workspace_id, id) ON DELETE CASCADE,
        CHECK (fed + opted_out + unreachable <= recipients),
        CHECK ((finished_at IS NOT NULL) = (state IN ('cancelled', 'rejected', 'done'))),
        CHECK (state <> 'running' OR due_at IS NOT NULL)
      ) WITH (fillfactor = 50);
      CREATE INDEX broadcasts_due ON broadcasts (due_at) WHERE due_at IS NOT NULL;
      CREATE INDEX broadcasts_finished ON broadcasts (finished_at) WHERE finished_at IS NOT NULL;
      -- Partial, so that what looks one up by its key never takes it for as good.
      CREATE INDEX broadcasts_newest ON broadcasts (workspace_id, number) WHERE number > 0;

      CREATE TABLE broadcast_recipients (
        workspace_id uuid        NOT NULL,
        broadcast_id uuid        NOT NULL,
        chat_id      bigint      NOT NULL,
        -- Null until it is a message, and again when that was taken back.
        message_id   uuid,
        -- Why it gets none.
        skipped      text        CHECK (skipped IN ('opted_out', 'unreachable')),
        PRIMARY KEY (workspace_id, broadcast_id, chat_id),
        CONSTRAINT broadcast_recipients_broadcast FOREIGN KEY (workspace_id, broadcast_id)
          REFERENCES broadcasts (workspace_id, id) ON DELETE CASCADE,
        CHECK (message_id IS NULL OR skipped IS NULL)
      ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
      CREATE INDEX broadcast_recipients_unfed ON broadcast_recipients (broadcast_id, chat_id)
        WHERE message_id IS NULL AND skipped IS NULL;
      CREATE INDEX broadcast_recipients_skipped ON broadcast_recipients
        (broadcast_id, skipped, chat_id) WHERE skipped IS NOT NULL;
      -- Progress, and the recipients in a state. The workspace is in it, so that counting reads it alone.
      CREATE INDEX outbound_messages_of_broadcast ON outbound_messages
        (broadcast_id, workspace_id, state, id) WHERE broadcast_id IS NOT NULL;

      -- Chats that want no broadcasts of this bot.
      CREATE TABLE broadcast_opt_outs (
        workspace_id uuid        NOT NULL,
        connector_id uuid        NOT NULL,
        chat_id      bigint      NOT NULL,
        opted_out_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, connector_id, chat_id),
        CONSTRAINT broadcast_opt_outs_connector FOREIGN KEY (workspace_id, connector_id)
          REFERENCES connectors (workspace_id, id) ON DELETE CASCADE
      );

      -- Words of the workspace's own by which it tells chats apart.
      CREATE TABLE chat_tags (
        workspace_id uuid        NOT NULL,
        connector_id uuid        NOT NULL,
        chat_id      bigint      NOT NULL,
        tag          text        NOT NULL CHECK (length(tag) BETWEEN 1 AND 50),
        PRIMARY KEY (workspace_id, connector_id, chat_id, tag),
        CONSTRAINT chat_tags_chat FOREIGN KEY (workspace_id, connector_id, chat_id)
          REFERENCES chats (workspace_id, connector_id, chat_id) ON DELETE CASCADE
      );
      CREATE INDEX chat_tags_of_tag ON chat_tags (tag, connector_id, workspace_id, chat_id);

      -- Whoever disconnects a bot need not know of its broadcasts: the feeder ends them, also those that
      -- it had nothing to do for.
      CREATE FUNCTION broadcasts_lose_bot() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        UPDATE broadcasts SET due_at = now()
        WHERE workspace_id = NEW.workspace_id AND connector_id = NEW.id
          AND state IN ('awaiting_approval', 'running', 'paused');
        RETURN NULL;
      END $$;
      CREATE TRIGGER broadcasts_lose_bot AFTER UPDATE OF status ON connectors FOR EACH ROW
        WHEN (NEW.status = 'removed' AND OLD.status <> 'removed')
        EXECUTE FUNCTION broadcasts_lose_bot();

      ${Object.entries(TENANT_MAY)
        .map(([table, tenantMay]) => tenantTable(table, { tenantMay }))
        .join("\n")}
    `);
  },
};
