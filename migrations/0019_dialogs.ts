import type { Migration } from "../src/platform/migration.ts";
import { tenantTable } from "./tenant-table.ts";

/** Conversations in steps, with buttons: what somebody is asked, and what was answered so far. */
export const migration: Migration = {
  name: "0019_dialogs",
  async up(knex) {
    await knex.raw(`
      CREATE TABLE dialogs (
        workspace_id uuid        NOT NULL,
        id           uuid        NOT NULL DEFAULT gen_random_uuid(),
        -- What its buttons carry: it says which dialog, and nothing that is believed.
        token        text        COLLATE "C" NOT NULL CHECK (length(token) = 16),
        connector_id uuid        NOT NULL,
        chat_id      bigint      NOT NULL,
        thread_id    bigint      NOT NULL DEFAULT 0,
        kind         text        NOT NULL CHECK (kind IN
          ('evidence_collection', 'compliance_review', 'risk_assessment')),
        state        text        NOT NULL,
        -- What was answered so far, and what the buttons that are shown stand for.
        data         jsonb       NOT NULL DEFAULT '{}',
        -- One more each time that its card changes: a press on what it showed before is told so.
        version      integer     NOT NULL DEFAULT 1,
        -- Telegram's id of whom it asks; 0: whoever may answer, in that chat.
        user_id      bigint      NOT NULL,
        -- In which its card and its reminder speak, by two letters.
        language     text        COLLATE "C" NOT NULL DEFAULT 'en' CHECK (length(language) = 2),
        evidence_id  uuid,
        risk_id      uuid,
        -- The last album of which a file came to it: the rest of the album does, too.
        media_group_id text,
        -- The message that shows it (outbound_messages), edited from step to step.
        card_id      uuid,
        expires_at   timestamptz NOT NULL,
        -- When whom it asks is reminded; null: they were.
        remind_at    timestamptz,
        ended_at     timestamptz,
        created_at   timestamptz NOT NULL DEFAULT now(),
        updated_at   timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, id),
        -- Without the bot: with it, and without statistics, the key would be taken for as good as the
        -- indexes below.
        CONSTRAINT dialogs_token UNIQUE (workspace_id, token),
        CONSTRAINT dialogs_connector FOREIGN KEY (workspace_id, connector_id)
          REFERENCES connectors (workspace_id, id) ON DELETE CASCADE,
        CONSTRAINT dialogs_evidence FOREIGN KEY (workspace_id, evidence_id)
          REFERENCES evidence (workspace_id, id) ON DELETE CASCADE,
        CONSTRAINT dialogs_risk FOREIGN KEY (workspace_id, risk_id)
          REFERENCES risks (workspace_id, id) ON DELETE CASCADE
      ) WITH (fillfactor = 70);
      -- Whose files and words a dialog may take. Partial, so that nothing takes it for a key.
      CREATE INDEX dialogs_open ON dialogs (workspace_id, connector_id, chat_id, user_id)
        WHERE ended_at IS NULL;
      CREATE INDEX dialogs_expiring ON dialogs (expires_at) WHERE ended_at IS NULL;
      CREATE INDEX dialogs_reminding ON dialogs (remind_at) WHERE ended_at IS NULL;
      CREATE INDEX dialogs_album ON dialogs (workspace_id, connector_id, chat_id, media_group_id)
        WHERE media_group_id IS NOT NULL;
      CREATE INDEX dialogs_of_evidence ON dialogs (evidence_id, workspace_id)
        WHERE evidence_id IS NOT NULL;
      CREATE INDEX dialogs_of_risk ON dialogs (risk_id, workspace_id) WHERE risk_id IS NOT NULL;
      -- What was submitted waits for what becomes of it, and stays as long.
      CREATE INDEX dialogs_ended ON dialogs (ended_at)
        WHERE ended_at IS NOT NULL AND state <> 'submitted';

      -- Until when somebody in it may be answering a dialog in words: what they write is looked at.
      ALTER TABLE conversations ADD asked_until timestamptz;

      -- Where it stood when chats were last told of it, as revision/status. The index holds what they
      -- are still to be told: whoever sent it what became of it, its cards that they decide nothing now.
      ALTER TABLE evidence ADD told text;
      CREATE INDEX evidence_to_tell ON evidence (workspace_id, id)
        WHERE (told IS NOT NULL OR status IN ('in_review', 'approved', 'rejected'))
          AND told IS DISTINCT FROM revision::text || '/' || status;
      -- The bot that its newest revision came by, as of what chats were told. By it reviewers are given
      -- what waits, the lowest number first. Nil stands for the API: an index is not in the order of what
      -- comes behind a column that is null.
      ALTER TABLE evidence ADD review_connector_id uuid NOT NULL
        DEFAULT '00000000-0000-0000-0000-000000000000';
      -- It waits, and chats were told of all that was before. As a column, so that the index on the
      -- status is never taken for as good.
      ALTER TABLE evidence ADD awaits_review boolean NOT NULL GENERATED ALWAYS AS
        (coalesce(status = 'in_review' AND told = revision::text || '/' || status, false)) STORED;
      CREATE INDEX evidence_to_review ON evidence (workspace_id, review_connector_id, number)
        WHERE awaits_review;

      -- Who is asked to review, among all people.
      CREATE INDEX people_in_role ON people (role, workspace_id, id) WHERE role <> 'employee';

      ${tenantTable("dialogs", { tenantMay: "SELECT" })}
    `);
  },
};
