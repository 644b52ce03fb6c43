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
        -- One more with every step: a press on what an earlier step showed is told so.
        version      integer     NOT NULL DEFAULT 1,
        -- Telegram's id of who began it.
        user_id      bigint      NOT NULL,
        evidence_id  uuid,
        risk_id      uuid,
        -- The message that shows it (outbound_messages), edited from step to step.
        card_id      uuid,
        expires_at   timestamptz NOT NULL,
        reminded_at  timestamptz,
        ended_at     timestamptz,
        created_at   timestamptz NOT NULL DEFAULT now(),
        updated_at   timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, id),
        CONSTRAINT dialogs_token UNIQUE (workspace_id, connector_id, token),
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
      CREATE INDEX dialogs_ended ON dialogs (ended_at) WHERE ended_at IS NOT NULL;

      -- Until when somebody in it may be answering a dialog in words: what they write is looked at.
      ALTER TABLE conversations ADD asked_until timestamptz;

      ${tenantTable("dialogs", { tenantMay: "SELECT" })}
    `);
  },
};
