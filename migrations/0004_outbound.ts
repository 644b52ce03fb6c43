import type { Migration } from "../src/platform/migration.ts";

/** What is to be sent, every attempt at it, and the holds that Telegram set. */
export const migration: Migration = {
  name: "0004_outbound",
  async up(knex) {
    await knex.raw(`
      CREATE TABLE outbound_messages (
        workspace_id         uuid        NOT NULL,
        id                   uuid        NOT NULL,
        connector_id         uuid        NOT NULL,
        -- A decimal id, or @name of a public group or channel.
        chat_id              text        NOT NULL CHECK (chat_id ~ '^(-{0,1}[0-9]{1,19}|@[A-Za-z0-9_]{4,64})$'),
        thread_id            bigint,
        -- A deletion is of a notice that vanishes: nobody submitted it as a message. An inline answer is
        -- of no chat (0).
        kind                 text        NOT NULL CHECK (
          kind IN ('message', 'callback-answer', 'inline-answer', 'deletion')),
        callback_query_id    text        CHECK ((callback_query_id IS NOT NULL) = (kind = 'callback-answer')),
        -- The text, or a caption. Where something other than a text is sent, content says what.
        text                 text        NOT NULL,
        -- Bot API: MessageEntity[], what marks the text up; null: nothing does.
        entities             jsonb,
        -- Of a text in parts: [[from, to], …] in UTF-16 units. Decided once: see docs/decisions/0023.
        cuts                 jsonb,
        content              jsonb       CHECK (content IS NULL OR cuts IS NULL),
        -- The message that this one edits, deletes, pins or unpins.
        target_id            uuid        CHECK (target_id IS NOT NULL OR kind <> 'deletion'),
        buttons              jsonb,
        reply_to             bigint,
        on_unknown           text        NOT NULL CHECK (on_unknown IN ('resend', 'hold')),
        -- Awaiting approval it has no job, and holds nobody up.
        state                text        NOT NULL DEFAULT 'queued' CHECK (
          state IN ('awaiting_approval', 'queued', 'sending', 'sent', 'unknown', 'failed', 'rejected', 'cancelled')),
        -- As its job's: 0 goes first.
        priority             smallint    NOT NULL DEFAULT 5 CHECK (priority BETWEEN 0 AND 9),
        send_at              timestamptz,
        -- Not sent any more from this time on.
        expires_at           timestamptz,
        silent               boolean     NOT NULL DEFAULT false,
        -- Not to be forwarded or saved.
        protected            boolean     NOT NULL DEFAULT false,
        link_preview         boolean     NOT NULL DEFAULT true,
        -- Deleted again so many seconds after it was sent.
        delete_after_s       integer     CHECK (delete_after_s > 0),
        -- Who submitted it: 'key:<id>' of an API key, or 'bot'.
        submitted_by         text,
        broadcast_id         uuid,
        -- Of a text in parts: how many of them are sent.
        parts_sent           smallint    NOT NULL DEFAULT 0,
        -- Tries that were the message's own: none that a pause ended.
        attempts             integer     NOT NULL DEFAULT 0,
        telegram_message_ids bigint[]    NOT NULL DEFAULT '{}',
        error_class          text,
        error                text,
        job_id               bigint,
        cause_id             bigint,
        created_at           timestamptz NOT NULL DEFAULT now(),
        sent_at              timestamptz,
        PRIMARY KEY (workspace_id, id),
        FOREIGN KEY (workspace_id, connector_id) REFERENCES connectors (workspace_id, id) ON DELETE CASCADE,
        FOREIGN KEY (workspace_id, target_id) REFERENCES outbound_messages (workspace_id, id) ON DELETE CASCADE
      );
      CREATE INDEX outbound_messages_changes ON outbound_messages (workspace_id, target_id)
        WHERE target_id IS NOT NULL;
      -- What people look for: a bot's messages in a state, newest first.
      CREATE INDEX outbound_messages_by_state
        ON outbound_messages (workspace_id, connector_id, state, created_at, id)
        WHERE kind = 'message';
      -- A chat's in a state; and those that wait for a group that moved, whatever was sent there.
      CREATE INDEX outbound_messages_of_chat
        ON outbound_messages (workspace_id, chat_id, kind, state, created_at, id);
      -- What may have to be given up (src/outbound/expiry.ts).
      CREATE INDEX outbound_messages_expiring ON outbound_messages (expires_at, id)
        WHERE expires_at IS NOT NULL AND state = 'queued';
      -- They go minutes later (src/outbound/retention.ts).
      CREATE INDEX outbound_messages_inline ON outbound_messages (created_at)
        WHERE kind = 'inline-answer';

      -- Committed before the request leaves.
      CREATE TABLE send_attempts (
        workspace_id uuid        NOT NULL,
        id           uuid        NOT NULL,
        message_id   uuid        NOT NULL,
        connector_id uuid        NOT NULL,
        chat_id      text        NOT NULL,
        job_id       bigint      NOT NULL,
        job_attempt  smallint    NOT NULL,
        started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
        deadline_at  timestamptz NOT NULL,
        finished_at  timestamptz,
        -- As how many messages Telegram counts it: of an album, its items.
        cost         smallint    NOT NULL DEFAULT 1 CHECK (cost > 0),
        -- With allow_paid_broadcast: it counts for no free rate.
        paid         boolean     NOT NULL DEFAULT false,
        outcome      text        CHECK (outcome IN ('sent', 'failed', 'unknown', 'not-sent', 'rate-limited')),
        error_class  text,
        retry_after_s integer,
        PRIMARY KEY (workspace_id, id),
        FOREIGN KEY (workspace_id, message_id) REFERENCES outbound_messages (workspace_id, id) ON DELETE CASCADE
      );
      CREATE INDEX send_attempts_of_connector ON send_attempts (connector_id, started_at);
      -- Those that bring files may leave minutes after they began (src/outbound/pace-store.ts).
      CREATE INDEX send_attempts_long ON send_attempts (connector_id, started_at)
        WHERE deadline_at - started_at > interval '70 s';
      CREATE INDEX send_attempts_started ON send_attempts (started_at);
      CREATE INDEX send_attempts_of_message ON send_attempts (workspace_id, message_id);

      -- Messages that a day's payment was taken out for (src/outbound/paid-allowance.ts).
      CREATE TABLE paid_sends (
        workspace_id uuid    NOT NULL,
        connector_id uuid    NOT NULL,
        -- Of UTC.
        day          date    NOT NULL,
        messages     integer NOT NULL CHECK (messages >= 0),
        PRIMARY KEY (workspace_id, connector_id, day),
        FOREIGN KEY (workspace_id, connector_id) REFERENCES connectors (workspace_id, id) ON DELETE CASCADE
      );

      -- '' is the bot itself. Deadlines only move forward.
      CREATE TABLE send_holds (
        workspace_id uuid        NOT NULL,
        connector_id uuid        NOT NULL,
        chat_id      text        NOT NULL,
        until        timestamptz NOT NULL,
        PRIMARY KEY (workspace_id, connector_id, chat_id),
        FOREIGN KEY (workspace_id, connector_id) REFERENCES connectors (workspace_id, id) ON DELETE CASCADE
      );
      CREATE INDEX send_holds_until ON send_holds (until);

      -- Calls that went past the bot's queue: the drain's pace counts them. '' is no chat.
      CREATE TABLE direct_calls (
        workspace_id uuid        NOT NULL,
        id           bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
        connector_id uuid        NOT NULL,
        chat_id      text        NOT NULL,
        left_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (workspace_id, id),
        FOREIGN KEY (workspace_id, connector_id) REFERENCES connectors (workspace_id, id) ON DELETE CASCADE
      );
      CREATE INDEX direct_calls_of_connector ON direct_calls (connector_id, left_at);
      CREATE INDEX direct_calls_left ON direct_calls (left_at);

      -- What was learned of a bot's own limit; no row: nothing (src/outbound/learned-rate.ts).
      CREATE TABLE send_rates (
        workspace_id uuid             NOT NULL,
        connector_id uuid             NOT NULL,
        -- Calls a second it was lowered to last; null: it is at its ceiling again.
        plateau      double precision CHECK (plateau > 0),
        -- Time under load since then.
        busy_ms      double precision NOT NULL CHECK (busy_ms >= 0),
        -- The rate that came of it.
        per_second   double precision NOT NULL CHECK (per_second > 0),
        learned_at   timestamptz      NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, connector_id),
        FOREIGN KEY (workspace_id, connector_id) REFERENCES connectors (workspace_id, id) ON DELETE CASCADE
      );
    `);
  },
};
