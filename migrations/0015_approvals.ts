import type { Migration } from "../src/platform/migration.ts";
import { tenantTable } from "./tenant-table.ts";

/**
 * What of a message is not what is sent: when and why it is sent, and what became of it. Every other
 * column is what an approval is given for, those that are added later too: one that is not to be named
 * here is what a test asks about.
 */
export const NOT_SENT = [
  "workspace_id",
  "id",
  "on_unknown",
  "state",
  "priority",
  "send_at",
  "expires_at",
  "submitted_by",
  "broadcast_id",
  "template",
  "template_version",
  "parts_sent",
  "attempts",
  "telegram_message_ids",
  "error_class",
  "error",
  "job_id",
  "cause_id",
  "created_at",
  "sent_at",
  "automatic",
  "in_conversation",
  "approved",
] as const;

/** What a message says, of what is sent of it. */
const WORDS = ["text", "entities", "buttons", "content"];

/** Chats by their ids, as patterns. */
const BASIC_GROUP = "^-[0-9]{1,12}$";
const SUPERGROUP = "^-[0-9]{13,19}$";

/** What a workspace's own calls do there; presses in Telegram and the clock are the engine's. */
const TENANT_MAY = {
  approval_rules: "SELECT, INSERT, UPDATE, DELETE",
  approval_rule_people: "SELECT, INSERT, DELETE",
  approvals:
    "SELECT, INSERT, UPDATE (rule_id, rule, needed, state, version, notice_id, decided_at)",
  approval_decisions: "SELECT, INSERT",
  approval_buttons: "INSERT",
};

/** Messages that wait until somebody else has seen them. */
export const migration: Migration = {
  name: "0015_approvals",
  async up(knex) {
    await knex.raw(`
      ALTER TABLE outbound_messages ADD approved boolean NOT NULL DEFAULT false;

      CREATE TABLE approval_rules (
        workspace_id      uuid        NOT NULL,
        id                uuid        NOT NULL DEFAULT gen_random_uuid(),
        name              text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
        -- Null: of every bot of the workspace.
        connector_id      uuid,
        conditions        jsonb       NOT NULL CHECK (jsonb_typeof(conditions) = 'object'),
        approvals         smallint    NOT NULL CHECK (approvals BETWEEN 1 AND 2),
        expires_after_s   integer     NOT NULL CHECK (expires_after_s > 0),
        -- Where approvers are asked, in Telegram.
        chat_connector_id uuid,
        chat_id           bigint,
        created_at        timestamptz NOT NULL DEFAULT now(),
        updated_at        timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, id),
        CONSTRAINT approval_rules_workspace FOREIGN KEY (workspace_id)
          REFERENCES workspaces (id) ON DELETE CASCADE,
        CONSTRAINT approval_rules_connector FOREIGN KEY (workspace_id, connector_id)
          REFERENCES connectors (workspace_id, id) ON DELETE CASCADE,
        CONSTRAINT approval_rules_chat FOREIGN KEY (workspace_id, chat_connector_id, chat_id)
          REFERENCES chats (workspace_id, connector_id, chat_id) ON DELETE CASCADE,
        CHECK ((chat_connector_id IS NULL) = (chat_id IS NULL))
      );

      -- Who may decide with the account that is theirs.
      CREATE TABLE approval_rule_people (
        workspace_id uuid NOT NULL,
        rule_id      uuid NOT NULL,
        person_id    uuid NOT NULL,
        PRIMARY KEY (workspace_id, rule_id, person_id),
        CONSTRAINT approval_rule_people_rule FOREIGN KEY (workspace_id, rule_id)
          REFERENCES approval_rules (workspace_id, id) ON DELETE CASCADE,
        CONSTRAINT approval_rule_people_person FOREIGN KEY (workspace_id, person_id)
          REFERENCES people (workspace_id, id) ON DELETE CASCADE
      );
      CREATE INDEX approval_rule_people_of_person ON approval_rule_people (workspace_id, person_id);

      -- Whoever changes one holds its message's row first.
      CREATE TABLE approvals (
        workspace_id uuid        NOT NULL,
        message_id   uuid        NOT NULL,
        -- The order in which they were asked for.
        seq          bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
        rule_id      uuid        NOT NULL,
        -- The rule as it was: its name, its people, its chat.
        rule         jsonb       NOT NULL,
        needed       smallint    NOT NULL CHECK (needed BETWEEN 1 AND 2),
        state        text        NOT NULL DEFAULT 'waiting'
          CHECK (state IN ('waiting', 'approved', 'rejected', 'expired', 'cancelled')),
        -- The SHA-256 of what was approved.
        version      bytea       CHECK (length(version) = 32),
        -- The message that asks in Telegram.
        notice_id    uuid,
        asked_at     timestamptz NOT NULL DEFAULT now(),
        expires_at   timestamptz NOT NULL,
        decided_at   timestamptz,
        PRIMARY KEY (workspace_id, message_id),
        CONSTRAINT approvals_message FOREIGN KEY (workspace_id, message_id)
          REFERENCES outbound_messages (workspace_id, id) ON DELETE CASCADE,
        CHECK ((state = 'waiting') = (decided_at IS NULL)),
        CHECK ((state = 'approved') = (version IS NOT NULL))
      );
      CREATE INDEX approvals_due ON approvals (expires_at) WHERE state = 'waiting';
      CREATE INDEX approvals_in_state ON approvals (state, workspace_id, seq);

      -- One word of an approver about one text.
      CREATE TABLE approval_decisions (
        workspace_id uuid        NOT NULL,
        message_id   uuid        NOT NULL,
        -- 'key:<id>' or 'person:<id>'; without a foreign key, since it outlives who decided.
        approver     text        NOT NULL CHECK (approver ~ '^(key|person):.'),
        -- The SHA-256 of what it is about.
        version      bytea       NOT NULL CHECK (length(version) = 32),
        verdict      text        NOT NULL CHECK (verdict IN ('approved', 'edited', 'rejected')),
        reason       text        CHECK (length(reason) <= 1000),
        -- Of an edit: the SHA-256 of what it was before.
        from_version bytea       CHECK (length(from_version) = 32),
        at           timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (workspace_id, message_id, approver, version),
        CONSTRAINT approval_decisions_of FOREIGN KEY (workspace_id, message_id)
          REFERENCES approvals (workspace_id, message_id) ON DELETE CASCADE,
        CHECK ((from_version IS NOT NULL) = (verdict = 'edited'))
      );

      -- What a button stands for. Its data is a token and nothing that is believed.
      CREATE TABLE approval_buttons (
        workspace_id uuid   NOT NULL,
        token_hash   bytea  NOT NULL CHECK (length(token_hash) = 32),
        message_id   uuid   NOT NULL,
        verdict      text   NOT NULL CHECK (verdict IN ('approve', 'reject')),
        -- The SHA-256 of what was shown above the button.
        version      bytea  NOT NULL CHECK (length(version) = 32),
        connector_id uuid   NOT NULL,
        chat_id      bigint NOT NULL,
        PRIMARY KEY (workspace_id, token_hash),
        CONSTRAINT approval_buttons_of FOREIGN KEY (workspace_id, message_id)
          REFERENCES approvals (workspace_id, message_id) ON DELETE CASCADE,
        CONSTRAINT approval_buttons_connector FOREIGN KEY (workspace_id, connector_id)
          REFERENCES connectors (workspace_id, id) ON DELETE CASCADE
      );
      CREATE INDEX approval_buttons_of_message ON approval_buttons (workspace_id, message_id);

      -- Everything of a message that is sent, and its SHA-256: jsonb is written in one way only.
      CREATE FUNCTION outbound_substance(message outbound_messages) RETURNS jsonb LANGUAGE sql STABLE
        AS $$ SELECT to_jsonb(message) - '{${NOT_SENT.join(",")}}'::text[] $$;
      CREATE FUNCTION outbound_digest(message outbound_messages) RETURNS bytea LANGUAGE sql STABLE
        AS $$ SELECT sha256(convert_to(outbound_substance(message)::text, 'UTF8')) $$;

      -- What was approved is what is sent, and what was not is not, whichever statement tries.
      CREATE FUNCTION outbound_stays_approved() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE
        was jsonb;
      BEGIN
        IF NOT OLD.approved THEN
          IF NEW.state IN ('queued', 'sending', 'sent', 'unknown') AND NOT NEW.approved THEN
            RAISE EXCEPTION 'message % was not approved', OLD.id USING ERRCODE = 'insufficient_privilege';
          END IF;
          RETURN NEW;
        END IF;
        -- What is over may be forgotten: a notice that vanishes, and its edits. It is never made to say something else.
        IF OLD.state NOT IN ('queued', 'sending') AND NEW.state = OLD.state AND NEW.approved AND NEW.text = ''
          AND outbound_substance(NEW) - '{${WORDS.join(",")}}'::text[]
            = outbound_substance(OLD) - '{${WORDS.join(",")}}'::text[] THEN
          RETURN NEW;
        END IF;
        was := outbound_substance(OLD);
        -- A group that became a supergroup is the same chat.
        IF OLD.chat_id ~ '${BASIC_GROUP}' AND NEW.chat_id ~ '${SUPERGROUP}' THEN
          was := was || jsonb_build_object('chat_id', NEW.chat_id);
        END IF;
        IF NOT NEW.approved OR was <> outbound_substance(NEW) THEN
          RAISE EXCEPTION 'message % was approved as it is', OLD.id USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
      END $$;
      CREATE TRIGGER outbound_stays_approved BEFORE UPDATE ON outbound_messages FOR EACH ROW
        WHEN (OLD.approved OR OLD.state IN ('awaiting_approval', 'rejected'))
        EXECUTE FUNCTION outbound_stays_approved();

      -- Whoever cancels a message need not know that somebody is asked about it.
      CREATE FUNCTION approval_is_over() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        UPDATE approvals SET state = 'cancelled', decided_at = clock_timestamp()
        WHERE workspace_id = NEW.workspace_id AND message_id = NEW.id AND state = 'waiting';
        RETURN NULL;
      END $$;
      CREATE TRIGGER approval_is_over AFTER UPDATE OF state ON outbound_messages FOR EACH ROW
        WHEN (OLD.state = 'awaiting_approval' AND NEW.state IN ('cancelled', 'failed'))
        EXECUTE FUNCTION approval_is_over();

      -- A group that became a supergroup is the same chat: what was said of the message, and the buttons
      -- that are about it, are about it still.
      CREATE FUNCTION approval_moves() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        UPDATE approval_buttons SET version = outbound_digest(NEW)
        WHERE workspace_id = NEW.workspace_id AND message_id = NEW.id
          AND version = outbound_digest(OLD);
        UPDATE approval_decisions SET version = outbound_digest(NEW)
        WHERE workspace_id = NEW.workspace_id AND message_id = NEW.id
          AND version = outbound_digest(OLD);
        RETURN NULL;
      END $$;
      CREATE TRIGGER approval_moves AFTER UPDATE OF chat_id ON outbound_messages FOR EACH ROW
        WHEN (OLD.state = 'awaiting_approval'
          AND OLD.chat_id ~ '${BASIC_GROUP}' AND NEW.chat_id ~ '${SUPERGROUP}')
        EXECUTE FUNCTION approval_moves();

      ${Object.entries(TENANT_MAY)
        .map(([table, tenantMay]) => tenantTable(table, { tenantMay }))
        .join("\n")}
    `);
  },
};
