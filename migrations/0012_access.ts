import type { Migration } from "../src/platform/migration.ts";
import { tenantTable } from "./tenant-table.ts";

/** What a workspace's own calls do there; the rest is ingest's, and the clock's. */
const TENANT_MAY = {
  people: "SELECT, INSERT, UPDATE, DELETE",
  connector_people: "SELECT, INSERT, DELETE",
  person_links: "SELECT, INSERT, DELETE",
  person_link_offers: "",
  // Whoever drops expired ones holds them first.
  chat_link_codes: "SELECT, INSERT, UPDATE, DELETE",
  access_refusals: "",
  sessions: "SELECT",
};

/** Who may talk to a bot, how that is proven, which groups are heard, and for how long one talks. */
export const migration: Migration = {
  name: "0012_access",
  async up(knex) {
    await knex.raw(`
      -- People of the workspace. A Telegram account is one of them at most, once it has confirmed a
      -- link that was made for them; a name that somebody gives himself proves nothing.
      CREATE TABLE people (
        workspace_id     uuid        NOT NULL,
        id               uuid        NOT NULL DEFAULT gen_random_uuid(),
        name             text        NOT NULL CHECK (name <> ''),
        agent_enabled    boolean     NOT NULL DEFAULT false,
        telegram_user_id bigint      CHECK (telegram_user_id > 0),
        bound_at         timestamptz,
        created_at       timestamptz NOT NULL DEFAULT now(),
        updated_at       timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, id),
        CONSTRAINT people_account UNIQUE (workspace_id, telegram_user_id),
        FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE,
        CHECK ((telegram_user_id IS NULL) = (bound_at IS NULL))
      );

      -- Whom a connector names: its access level may be these alone.
      CREATE TABLE connector_people (
        workspace_id uuid        NOT NULL,
        connector_id uuid        NOT NULL,
        person_id    uuid        NOT NULL,
        created_at   timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, connector_id, person_id),
        CONSTRAINT connector_people_connector FOREIGN KEY (workspace_id, connector_id)
          REFERENCES connectors (workspace_id, id) ON DELETE CASCADE,
        CONSTRAINT connector_people_person FOREIGN KEY (workspace_id, person_id)
          REFERENCES people (workspace_id, id) ON DELETE CASCADE
      );
      CREATE INDEX connector_people_of_person ON connector_people (workspace_id, person_id);

      -- One link a person: a new one takes the place of the old. The row stays once it was used, so
      -- that a second press is told the truth.
      CREATE TABLE person_links (
        workspace_id uuid        NOT NULL,
        id           uuid        NOT NULL DEFAULT gen_random_uuid(),
        person_id    uuid        NOT NULL,
        connector_id uuid        NOT NULL,
        token_hash   bytea       NOT NULL UNIQUE CHECK (length(token_hash) = 32),
        expires_at   timestamptz NOT NULL,
        used_at      timestamptz,
        used_by      bigint,
        created_at   timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, id),
        UNIQUE (workspace_id, person_id),
        CONSTRAINT person_links_person FOREIGN KEY (workspace_id, person_id)
          REFERENCES people (workspace_id, id) ON DELETE CASCADE,
        CONSTRAINT person_links_connector FOREIGN KEY (workspace_id, connector_id)
          REFERENCES connectors (workspace_id, id) ON DELETE CASCADE,
        CHECK ((used_at IS NULL) = (used_by IS NULL))
      );

      -- Which accounts were asked whether that is them: the data of a button is forgeable.
      CREATE TABLE person_link_offers (
        workspace_id     uuid        NOT NULL,
        link_id          uuid        NOT NULL,
        telegram_user_id bigint      NOT NULL,
        offered_at       timestamptz NOT NULL,
        PRIMARY KEY (workspace_id, link_id, telegram_user_id),
        CONSTRAINT person_link_offers_link FOREIGN KEY (workspace_id, link_id)
          REFERENCES person_links (workspace_id, id) ON DELETE CASCADE
      );

      -- Deleted when it is used; expired ones when the next is made.
      CREATE TABLE chat_link_codes (
        workspace_id uuid        NOT NULL,
        id           uuid        NOT NULL DEFAULT gen_random_uuid(),
        connector_id uuid        NOT NULL,
        code_hash    bytea       NOT NULL CHECK (length(code_hash) = 32),
        purpose      text        CHECK (purpose IN ('support', 'compliance')),
        expires_at   timestamptz NOT NULL,
        created_at   timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, id),
        UNIQUE (workspace_id, connector_id, code_hash),
        CONSTRAINT chat_link_codes_connector FOREIGN KEY (workspace_id, connector_id)
          REFERENCES connectors (workspace_id, id) ON DELETE CASCADE
      );

      -- What must be remembered of those who may not: accounts (ids above 0), groups and channels
      -- that speak (below), and of groups the wrong codes. Nothing of what they said.
      CREATE TABLE access_refusals (
        workspace_id   uuid        NOT NULL,
        connector_id   uuid        NOT NULL,
        peer_id        bigint      NOT NULL,
        -- Telegram's date of the newest message that was dropped: an edit of that, or of one before
        -- it that is not here, is of a message that was dropped.
        dropped_at     timestamptz,
        told_at        timestamptz,
        wrong_codes    integer     NOT NULL DEFAULT 0,
        wrong_since    timestamptz,
        refused_at     timestamptz NOT NULL,
        PRIMARY KEY (workspace_id, connector_id, peer_id),
        CONSTRAINT access_refusals_connector FOREIGN KEY (workspace_id, connector_id)
          REFERENCES connectors (workspace_id, id) ON DELETE CASCADE
      ) WITH (fillfactor = 70);
      CREATE INDEX access_refusals_at ON access_refusals (refused_at);

      -- Of who may not, kept because the connector says so. A conversation is denied as long as
      -- everything that came in it was.
      ALTER TABLE messages ADD COLUMN denied boolean NOT NULL DEFAULT false;
      ALTER TABLE conversations ADD COLUMN denied boolean NOT NULL DEFAULT false;

      -- False: an answer to somebody of whom nothing is stored.
      ALTER TABLE outbound_messages ADD COLUMN in_conversation boolean NOT NULL DEFAULT true;

      -- The newest session's last message of the person, which moves with every message and costs
      -- nothing beside last_message_at; and its end, if it is over.
      ALTER TABLE conversations
        ADD COLUMN session_last_at  timestamptz,
        ADD COLUMN session_ended_at timestamptz,
        ADD CHECK (session_ended_at IS NULL OR session_last_at IS NOT NULL);

      -- A row when a session begins, changed when it ends. While it is open its last message is the
      -- conversation's.
      CREATE TABLE sessions (
        workspace_id    uuid        NOT NULL,
        id              bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
        conversation_id bigint      NOT NULL,
        connector_id    uuid        NOT NULL,
        started_at      timestamptz NOT NULL,
        last_at         timestamptz,
        ended_at        timestamptz,
        end_reason      text        CHECK (end_reason IN ('timeout', 'switched_off')),
        -- The connector's session_hours when it was last looked at.
        hours           integer     NOT NULL,
        -- Not over before; looked at then. Null: it never ends by itself.
        check_at        timestamptz,
        PRIMARY KEY (workspace_id, id),
        CONSTRAINT sessions_conversation FOREIGN KEY (workspace_id, conversation_id)
          REFERENCES conversations (workspace_id, id) ON DELETE CASCADE,
        CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
        CHECK ((ended_at IS NULL) = (last_at IS NULL))
      ) WITH (fillfactor = 80);
      CREATE UNIQUE INDEX sessions_open ON sessions (workspace_id, conversation_id)
        WHERE ended_at IS NULL;
      CREATE INDEX sessions_of_conversation ON sessions (workspace_id, conversation_id, id);
      CREATE INDEX sessions_due ON sessions (check_at) WHERE ended_at IS NULL;
      -- Those that began under another setting than the connector has now.
      CREATE INDEX sessions_hours ON sessions (connector_id, hours) WHERE ended_at IS NULL;

      ${Object.entries(TENANT_MAY)
        .map(([table, tenantMay]) => tenantTable(table, { tenantMay }))
        .join("\n")}
    `);
  },
};
