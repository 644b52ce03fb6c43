import type { Migration } from "../src/platform/migration.ts";

/**
 * What is to be sent, what was tried, and what Telegram asked to wait for.
 *
 * A chat id is text, because a channel may be named (`@channel`); numeric ids are decimal strings.
 * Texts live here and nowhere else: jobs carry the message's id.
 */
export const migration: Migration = {
  name: "0004_outbound",
  async up(knex) {
    await knex.raw(`
      CREATE TABLE outbound_messages (
        workspace_id         uuid        NOT NULL,
        id                   uuid        NOT NULL,
        connector_id         uuid        NOT NULL,
        kind                 text        NOT NULL CHECK (kind IN ('message', 'callback-answer')),
        chat_id              text        NOT NULL
          CHECK (chat_id ~ '^(-?[0-9]{1,19}|@[A-Za-z][A-Za-z0-9_]{3,63})$'),
        thread_id            bigint,
        callback_query_id    text,
        text                 text        NOT NULL,
        format               text        NOT NULL CHECK (format IN ('plain', 'html', 'markdown')),
        buttons              jsonb,
        reply_to             bigint,
        priority             text        NOT NULL CHECK (
          priority IN ('critical', 'high', 'medium', 'low')),
        on_unknown           text        NOT NULL CHECK (on_unknown IN ('resend', 'hold')),
        state                text        NOT NULL DEFAULT 'queued' CHECK (
          state IN ('queued', 'sending', 'sent', 'unknown', 'failed', 'cancelled')),
        attempts             integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
        telegram_message_ids bigint[]    NOT NULL DEFAULT '{}',
        error_class          text,
        error                text,
        -- What was done differently than asked, e.g. sent without its formatting.
        note                 text,
        job_id               bigint,
        cause_id             bigint,
        created_at           timestamptz NOT NULL DEFAULT now(),
        sent_at              timestamptz,
        PRIMARY KEY (workspace_id, id),
        CONSTRAINT outbound_messages_connector FOREIGN KEY (workspace_id, connector_id)
          REFERENCES connectors (workspace_id, id) ON DELETE CASCADE,
        CHECK ((kind = 'callback-answer') = (callback_query_id IS NOT NULL)),
        CHECK ((state = 'sent') = (sent_at IS NOT NULL))
      ) WITH (fillfactor = 70);
      -- A group that becomes a supergroup: its messages that still wait get the new id.
      CREATE INDEX outbound_messages_waiting ON outbound_messages
        (workspace_id, connector_id, chat_id) WHERE state IN ('queued', 'sending');

      -- Committed before the request leaves. Those of the last minute are the bot's pace.
      CREATE TABLE send_attempts (
        workspace_id  uuid        NOT NULL,
        id            bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
        message_id    uuid        NOT NULL,
        connector_id  uuid        NOT NULL,
        chat_id       text        NOT NULL,
        -- True where the bot's windows count it (a message, not an answer to a button).
        paced         boolean     NOT NULL,
        job_attempt   smallint    NOT NULL,
        started_at    timestamptz NOT NULL,
        -- Nobody may call the outcome unknown before this time.
        deadline_at   timestamptz NOT NULL,
        finished_at   timestamptz,
        outcome       text        CHECK (
          outcome IN ('sent', 'failed', 'unknown', 'not-sent', 'rate-limited')),
        error_class   text,
        retry_after_s integer,
        PRIMARY KEY (workspace_id, id),
        FOREIGN KEY (workspace_id, message_id)
          REFERENCES outbound_messages (workspace_id, id) ON DELETE CASCADE,
        CHECK ((finished_at IS NULL) = (outcome IS NULL))
      ) WITH (fillfactor = 80);
      CREATE INDEX send_attempts_lately ON send_attempts (connector_id, started_at);
      CREATE INDEX send_attempts_of_message ON send_attempts (workspace_id, message_id, id);

      -- Until when a chat, or the bot (chat_id ''), is not sent to. Survives workers and Redis.
      CREATE TABLE send_holds (
        workspace_id uuid        NOT NULL,
        connector_id uuid        NOT NULL,
        chat_id      text        NOT NULL,
        until        timestamptz NOT NULL,
        reason       text        NOT NULL,
        PRIMARY KEY (workspace_id, connector_id, chat_id),
        FOREIGN KEY (workspace_id, connector_id)
          REFERENCES connectors (workspace_id, id) ON DELETE CASCADE
      );
    `);
  },
};
