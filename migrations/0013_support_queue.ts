import type { Migration } from "../src/platform/migration.ts";
import { tenantTable } from "./tenant-table.ts";

/** Whose turn it is in a conversation, who looks after it, and which organisation writes. */
export const migration: Migration = {
  name: "0013_support_queue",
  async up(knex) {
    await knex.raw(`
      -- A customer's organisation.
      CREATE TABLE accounts (
        workspace_id uuid        NOT NULL,
        id           uuid        NOT NULL,
        name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
        created_at   timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, id),
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE
      );

      -- Which account writes in a chat, or from a domain: one for each.
      CREATE TABLE account_rules (
        workspace_id uuid        NOT NULL,
        id           uuid        NOT NULL,
        account_id   uuid        NOT NULL,
        connector_id uuid,
        chat_id      bigint,
        domain       text,
        created_at   timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, id),
        UNIQUE (workspace_id, connector_id, chat_id),
        UNIQUE (workspace_id, domain),
        FOREIGN KEY (workspace_id, account_id) REFERENCES accounts (workspace_id, id) ON DELETE CASCADE,
        FOREIGN KEY (workspace_id, connector_id)
          REFERENCES connectors (workspace_id, id) ON DELETE CASCADE,
        CHECK ((connector_id IS NULL) = (chat_id IS NULL) AND (chat_id IS NULL) <> (domain IS NULL))
      );
      CREATE INDEX account_rules_of_account ON account_rules (workspace_id, account_id, id);

      ALTER TABLE contacts
        ADD account_id uuid,
        -- Of their e-mail address, as a member of the workspace told it; never the address.
        ADD domain text,
        -- What they are searched by. Columns, because row-level security lets no index be used for a
        -- condition with lower() in it.
        ADD name_key text COLLATE "C" NOT NULL
          GENERATED ALWAYS AS (lower(first_name || coalesce(' ' || last_name, ''))) STORED,
        ADD last_name_key text COLLATE "C" NOT NULL
          GENERATED ALWAYS AS (lower(coalesce(last_name, ''))) STORED,
        ADD username_key text COLLATE "C" NOT NULL
          GENERATED ALWAYS AS (lower(coalesce(username, ''))) STORED,
        ADD CONSTRAINT contacts_account FOREIGN KEY (workspace_id, account_id)
          REFERENCES accounts (workspace_id, id);
      CREATE INDEX contacts_of_account ON contacts (workspace_id, account_id, id)
        WHERE account_id IS NOT NULL;
      CREATE INDEX contacts_of_domain ON contacts (workspace_id, domain, id) WHERE domain IS NOT NULL;
      -- Partial, so that what looks a contact up by its key never takes them for as good.
      CREATE INDEX contacts_by_name ON contacts (workspace_id, name_key, id) WHERE NOT is_bot;
      CREATE INDEX contacts_by_last_name ON contacts (workspace_id, last_name_key, id)
        WHERE NOT is_bot AND last_name IS NOT NULL;
      CREATE INDEX contacts_by_username ON contacts (workspace_id, username_key, id)
        WHERE NOT is_bot AND username IS NOT NULL;

      ALTER TABLE conversations
        DROP CONSTRAINT conversations_status_check,
        ALTER status SET DEFAULT 'waiting',
        ADD CONSTRAINT conversations_status_check
          CHECK (status IN ('open', 'waiting', 'snoozed', 'closed')),
        -- '': nobody. Rows that are NULL come in no order.
        ADD assignee           text NOT NULL DEFAULT '' CHECK (length(assignee) <= 200),
        ADD snoozed_until      timestamptz,
        -- Since when it is open. Those that are there have all been open so far.
        ADD waiting_since      timestamptz DEFAULT now(),
        -- The customer's first message since it was last closed, by Telegram's clock.
        ADD opened_at          timestamptz DEFAULT now(),
        ADD first_responded_at timestamptz,
        ADD resolved_at        timestamptz,
        ADD reopens            integer NOT NULL DEFAULT 0,
        -- The last word of each side that counted: Telegram's time and number of the message.
        ADD customer_at        timestamptz NOT NULL DEFAULT '-infinity',
        ADD customer_message   bigint      NOT NULL DEFAULT 0,
        ADD team_at            timestamptz NOT NULL DEFAULT '-infinity',
        ADD team_message       bigint      NOT NULL DEFAULT 0,
        -- Who had a part in it last; whoever changes the row says so, for conversation_events.
        ADD last_actor_kind    text CHECK (last_actor_kind IN
          ('customer', 'team', 'api_key', 'admin', 'system', 'telegram_user')),
        ADD last_actor         text,
        -- One more with every change that leaves an event.
        ADD version            integer NOT NULL DEFAULT 1;
      ALTER TABLE conversations
        ALTER waiting_since DROP DEFAULT,
        ALTER opened_at DROP DEFAULT,
        ADD CHECK ((status = 'open') = (waiting_since IS NOT NULL)),
        ADD CHECK ((status = 'snoozed') = (snoozed_until IS NOT NULL)),
        ADD CHECK ((status = 'closed') = (resolved_at IS NOT NULL));
      -- None of these is led by the workspace alone unless it is partial: without statistics it would
      -- be taken for as good as the keys. A message changes no column of theirs but at a change of
      -- status, so that updates stay HOT.
      CREATE INDEX conversations_in_status ON conversations (status, workspace_id, id);
      CREATE INDEX conversations_of_assignee ON conversations
        (assignee, workspace_id, status, id);
      CREATE INDEX conversations_of_contact ON conversations (contact_id, workspace_id, id);
      CREATE INDEX conversations_queue ON conversations (workspace_id, waiting_since, id)
        WHERE status = 'open';
      CREATE INDEX conversations_queue_of_assignee ON conversations
        (workspace_id, assignee, waiting_since, id) WHERE status = 'open';
      CREATE INDEX conversations_snoozed ON conversations (snoozed_until) WHERE status = 'snoozed';

      CREATE TABLE conversation_events (
        workspace_id    uuid        NOT NULL,
        id              bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
        conversation_id bigint      NOT NULL,
        what            text        NOT NULL
          CHECK (what IN ('status', 'assignee', 'snoozed_until', 'first_response')),
        from_value      text,
        to_value        text,
        actor_kind      text,
        actor           text,
        -- Of a first response and of a close: the time since the opening began.
        elapsed_ms      bigint,
        at              timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, id),
        FOREIGN KEY (workspace_id, conversation_id)
          REFERENCES conversations (workspace_id, id) ON DELETE CASCADE
      );
      CREATE INDEX conversation_events_of_conversation ON conversation_events (conversation_id, id);
      CREATE INDEX conversation_events_elapsed ON conversation_events (workspace_id, what, at)
        INCLUDE (elapsed_ms) WHERE elapsed_ms IS NOT NULL;

      CREATE FUNCTION iso_text(moment timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
        SELECT to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
      $$;
      -- Null without either end; two clocks that disagree make no negative time.
      CREATE FUNCTION elapsed_ms(beginning timestamptz, ending timestamptz) RETURNS bigint
        LANGUAGE sql STABLE STRICT AS $$
        SELECT greatest(0, floor(extract(epoch FROM ending - beginning) * 1000))::bigint
      $$;

      -- Here and not in the statements that change a conversation: none of them can forget it.
      CREATE FUNCTION conversation_changed() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        NEW.version := OLD.version + 1;
        INSERT INTO conversation_events
          (workspace_id, conversation_id, what, from_value, to_value, actor_kind, actor, elapsed_ms)
        SELECT NEW.workspace_id, NEW.id, e.what, e.was, e.becomes, NEW.last_actor_kind, NEW.last_actor,
          e.elapsed
        FROM (VALUES
          (1, 'status', OLD.status, NEW.status,
            CASE WHEN NEW.status = 'closed' THEN elapsed_ms(NEW.opened_at, NEW.resolved_at) END),
          (2, 'snoozed_until', iso_text(OLD.snoozed_until), iso_text(NEW.snoozed_until), NULL),
          (3, 'assignee', nullif(OLD.assignee, ''), nullif(NEW.assignee, ''), NULL),
          (4, 'first_response', NULL,
            CASE WHEN OLD.first_responded_at IS NULL THEN iso_text(NEW.first_responded_at) END,
            elapsed_ms(NEW.opened_at, NEW.first_responded_at))
        ) AS e(n, what, was, becomes, elapsed)
        WHERE e.was IS DISTINCT FROM e.becomes
        ORDER BY e.n;
        RETURN NEW;
      END $$;
      CREATE TRIGGER conversation_changed BEFORE UPDATE ON conversations FOR EACH ROW
        WHEN (OLD.status <> NEW.status
          OR OLD.assignee <> NEW.assignee
          OR OLD.snoozed_until IS DISTINCT FROM NEW.snoozed_until
          OR (OLD.first_responded_at IS NULL AND NEW.first_responded_at IS NOT NULL))
        EXECUTE FUNCTION conversation_changed();

      ALTER TABLE outbound_messages
        -- A business account's conversation: the account's connection to the bot.
        ADD business_connection_id text,
        -- Nobody wrote it: it is no answer to what a customer asked.
        ADD automatic boolean NOT NULL DEFAULT false;

      ${["accounts", "account_rules", "conversation_events"].map((table) => tenantTable(table)).join("\n")}
    `);
  },
};
