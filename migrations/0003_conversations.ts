import type { Migration } from "../src/platform/migration.ts";

/**
 * Who writes where, and what was written.
 *
 * A message keeps the chat id it was sent under for ever: that, with its number, is its identity at
 * Telegram, and a supergroup counts anew. Its conversation is what moves when a group becomes a
 * supergroup, so a migration costs one row, not one a message.
 *
 * `thread_id` 0 and `business_connection_id` '' stand for "none", because they are parts of keys and
 * Postgres 14 has no NULLS NOT DISTINCT.
 */
export const migration: Migration = {
  name: "0003_conversations",
  async up(knex) {
    await knex.raw(`
      CREATE TABLE chats (
        workspace_id  uuid        NOT NULL,
        connector_id  uuid        NOT NULL,
        chat_id       bigint      NOT NULL,
        type          text        CHECK (type IN ('private', 'group', 'supergroup', 'channel')),
        title         text,
        username      text,
        is_forum      boolean     NOT NULL DEFAULT false,
        linked        boolean     NOT NULL DEFAULT false,
        purpose       text        CHECK (purpose IN ('support', 'compliance')),
        reachable     boolean     NOT NULL DEFAULT true,
        -- Telegram's time of the bot's own membership change that said so.
        reachable_at  timestamptz,
        migrated_to   bigint,
        migrated_from bigint,
        created_at    timestamptz NOT NULL DEFAULT now(),
        updated_at    timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, connector_id, chat_id),
        CONSTRAINT chats_connector FOREIGN KEY (workspace_id, connector_id)
          REFERENCES connectors (workspace_id, id) ON DELETE CASCADE,
        CHECK (migrated_to <> chat_id AND migrated_from <> chat_id)
      ) WITH (fillfactor = 70);
      -- A few of a bot's chats, which may be a million.
      CREATE INDEX chats_linked ON chats (workspace_id, connector_id) WHERE linked;

      CREATE TABLE contacts (
        workspace_id     uuid        NOT NULL,
        id               bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
        telegram_user_id bigint      NOT NULL,
        first_name       text        NOT NULL,
        last_name        text,
        username         text,
        language_code    text,
        is_bot           boolean     NOT NULL,
        created_at       timestamptz NOT NULL DEFAULT now(),
        -- When the update arrived that these details are from.
        updated_at       timestamptz NOT NULL,
        PRIMARY KEY (workspace_id, id),
        UNIQUE (workspace_id, telegram_user_id),
        CONSTRAINT contacts_workspace FOREIGN KEY (workspace_id)
          REFERENCES workspaces (id) ON DELETE CASCADE
      ) WITH (fillfactor = 80);

      -- last_message_at changes with every message: no index on it, so that updates stay HOT.
      CREATE TABLE conversations (
        workspace_id           uuid        NOT NULL,
        id                     bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
        connector_id           uuid        NOT NULL,
        chat_id                bigint      NOT NULL,
        thread_id              bigint      NOT NULL DEFAULT 0,
        business_connection_id text        NOT NULL DEFAULT '',
        contact_id             bigint,
        status                 text        NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
        last_message_at        timestamptz NOT NULL,
        -- When the person was told, once, that the message arrived.
        acknowledged_at        timestamptz,
        created_at             timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, id),
        UNIQUE (workspace_id, connector_id, chat_id, thread_id, business_connection_id),
        FOREIGN KEY (workspace_id, connector_id, chat_id)
          REFERENCES chats (workspace_id, connector_id, chat_id) ON DELETE CASCADE,
        FOREIGN KEY (workspace_id, contact_id) REFERENCES contacts (workspace_id, id)
      ) WITH (fillfactor = 50);
      -- Not led by the workspace: without statistics it would be taken for as good as the unique key.
      CREATE INDEX conversations_of_connector ON conversations (connector_id, id);

      -- Ordered by id: the order in which the effects took place.
      CREATE TABLE messages (
        workspace_id           uuid        NOT NULL,
        id                     bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
        conversation_id        bigint      NOT NULL,
        connector_id           uuid        NOT NULL,
        chat_id                bigint      NOT NULL,
        telegram_message_id    bigint      NOT NULL,
        business_connection_id text        NOT NULL DEFAULT '',
        direction              text        NOT NULL CHECK (direction IN ('in', 'out')),
        kind                   text        NOT NULL,
        contact_id             bigint,
        thread_id              bigint,
        text                   text,
        entities               jsonb,
        media                  jsonb,
        media_group_id         text,
        reply_to_message_id    bigint,
        sent_at                timestamptz NOT NULL,
        received_at            timestamptz NOT NULL,
        edited_at              timestamptz,
        -- What Telegram reports in the form of a message: its type and what it says.
        service                jsonb,
        poll_id                text,
        pinned_at              timestamptz,
        -- When we deleted it, or heard that it was deleted (business messages only). What it said stays,
        -- but of notices that vanish.
        deleted_at             timestamptz,
        job_id                 bigint,
        PRIMARY KEY (workspace_id, id),
        FOREIGN KEY (workspace_id, conversation_id)
          REFERENCES conversations (workspace_id, id) ON DELETE CASCADE,
        FOREIGN KEY (workspace_id, contact_id) REFERENCES contacts (workspace_id, id)
      );
      -- Telegram numbers incoming and outgoing messages of a chat together: each is stored once.
      CREATE UNIQUE INDEX messages_telegram_id ON messages
        (workspace_id, connector_id, chat_id, telegram_message_id, business_connection_id);
      CREATE INDEX messages_of_conversation ON messages (workspace_id, conversation_id, id);

      -- Versions of a message that another one took the place of.
      CREATE TABLE message_edits (
        workspace_id uuid        NOT NULL,
        message_id   bigint      NOT NULL,
        -- Telegram's edit date; the message as first sent has the epoch, so that it can be a key.
        version_at   timestamptz NOT NULL,
        digest       text        NOT NULL,
        kind         text        NOT NULL,
        text         text,
        entities     jsonb,
        media        jsonb,
        recorded_at  timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, message_id, version_at, digest),
        FOREIGN KEY (workspace_id, message_id)
          REFERENCES messages (workspace_id, id) ON DELETE CASCADE
      );

      -- Who reacted how, as far as Telegram told. By the message's identity at Telegram and not by
      -- its row: reactions are delivered beside messages, and may overtake them. Actor 0: nobody by
      -- name, the totals of a chat whose reactions are anonymous, each with its count. A chat that
      -- reacts has its own id.
      CREATE TABLE message_reactions (
        workspace_id uuid        NOT NULL,
        connector_id uuid        NOT NULL,
        chat_id      bigint      NOT NULL,
        telegram_message_id bigint NOT NULL,
        actor_id     bigint      NOT NULL,
        -- [] once they were taken back.
        reactions    jsonb       NOT NULL,
        reacted_at   timestamptz NOT NULL,
        PRIMARY KEY (workspace_id, connector_id, chat_id, telegram_message_id, actor_id),
        FOREIGN KEY (workspace_id, connector_id, chat_id)
          REFERENCES chats (workspace_id, connector_id, chat_id) ON DELETE CASCADE
      ) WITH (fillfactor = 80);

      -- A forum's topics; 0 is General. What nobody told yet is null. Each fact has Telegram's time.
      CREATE TABLE topics (
        workspace_id uuid        NOT NULL,
        connector_id uuid        NOT NULL,
        chat_id      bigint      NOT NULL,
        thread_id    bigint      NOT NULL,
        name         text,
        named_at     timestamptz,
        closed       boolean,
        closed_at    timestamptz,
        hidden       boolean,
        hidden_at    timestamptz,
        PRIMARY KEY (workspace_id, connector_id, chat_id, thread_id),
        FOREIGN KEY (workspace_id, connector_id, chat_id)
          REFERENCES chats (workspace_id, connector_id, chat_id) ON DELETE CASCADE
      );

      -- What is asked comes from messages; the counts also come alone, with the poll's number only.
      CREATE TABLE polls (
        workspace_id uuid        NOT NULL,
        connector_id uuid        NOT NULL,
        poll_id      text        NOT NULL,
        question     text,
        -- The answers' texts, in order.
        options      jsonb,
        -- How many chose each, in order.
        votes        jsonb       NOT NULL,
        voters       bigint      NOT NULL,
        closed       boolean     NOT NULL,
        -- The counts came alone, so they are younger than those of any message that shows the poll:
        -- Telegram delivers the two side by side, and the message may wait behind others.
        live         boolean     NOT NULL,
        -- When the update arrived that these counts are from: Telegram gives no time.
        counted_at   timestamptz NOT NULL,
        PRIMARY KEY (workspace_id, connector_id, poll_id),
        CONSTRAINT polls_connector FOREIGN KEY (workspace_id, connector_id)
          REFERENCES connectors (workspace_id, id) ON DELETE CASCADE
      ) WITH (fillfactor = 80);

      -- Of polls that are not anonymous. A voter is a person, or a chat with its negative id.
      CREATE TABLE poll_answers (
        workspace_id uuid        NOT NULL,
        connector_id uuid        NOT NULL,
        poll_id      text        NOT NULL,
        voter_id     bigint      NOT NULL,
        -- Places of the options chosen, from 0; [] once the vote was taken back.
        options      jsonb       NOT NULL,
        answered_at  timestamptz NOT NULL,
        PRIMARY KEY (workspace_id, connector_id, poll_id, voter_id),
        CONSTRAINT poll_answers_connector FOREIGN KEY (workspace_id, connector_id)
          REFERENCES connectors (workspace_id, id) ON DELETE CASCADE
      );

      -- Accounts that let the bot act for them.
      CREATE TABLE business_connections (
        workspace_id uuid        NOT NULL,
        connector_id uuid        NOT NULL,
        id           text        NOT NULL,
        telegram_user_id bigint  NOT NULL,
        user_chat_id bigint      NOT NULL,
        enabled      boolean     NOT NULL,
        can_reply    boolean     NOT NULL,
        connected_at timestamptz NOT NULL,
        -- When the update arrived that says so: Telegram's date is that of the connection.
        updated_at   timestamptz NOT NULL,
        PRIMARY KEY (workspace_id, connector_id, id),
        CONSTRAINT business_connections_connector FOREIGN KEY (workspace_id, connector_id)
          REFERENCES connectors (workspace_id, id) ON DELETE CASCADE
      );

      -- Who is in a chat, or asked to be, as far as Telegram told; the bot itself included.
      CREATE TABLE members (
        workspace_id     uuid        NOT NULL,
        connector_id     uuid        NOT NULL,
        chat_id          bigint      NOT NULL,
        telegram_user_id bigint      NOT NULL,
        status           text        NOT NULL CHECK (status IN
          ('creator', 'administrator', 'member', 'restricted', 'left', 'kicked', 'requested')),
        since            timestamptz NOT NULL,
        PRIMARY KEY (workspace_id, connector_id, chat_id, telegram_user_id),
        FOREIGN KEY (workspace_id, connector_id, chat_id)
          REFERENCES chats (workspace_id, connector_id, chat_id) ON DELETE CASCADE
      );
    `);
  },
};
