import { TENANT_ROLE } from "../src/platform/database-roles.ts";
import type { Migration } from "../src/platform/migration.ts";
import { tenantTable } from "./tenant-table.ts";

/** What every kind of entry has. Its code is what people call it by: `CC6.1`, `R-12`. */
const ENTRY = `
        workspace_id uuid        NOT NULL,
        id           uuid        NOT NULL DEFAULT gen_random_uuid(),
        code         text        COLLATE "C" NOT NULL CHECK (length(code) BETWEEN 1 AND 60),
        title        text        NOT NULL CHECK (length(title) BETWEEN 1 AND 300),
        description  text        NOT NULL DEFAULT '' CHECK (length(description) <= 10000),
        -- One more with every change.
        version      integer     NOT NULL DEFAULT 1,
        created_at   timestamptz NOT NULL DEFAULT now(),
        updated_at   timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, id)`;

const ofWorkspace = `FOREIGN KEY (workspace_id) REFERENCES workspaces (id) ON DELETE CASCADE`;
const person = (column: string) =>
  `FOREIGN KEY (workspace_id, ${column}) REFERENCES people (workspace_id, id)`;
/** An entry that others stand on is not removed before them. */
const entry = (column: string, table: string) =>
  `FOREIGN KEY (workspace_id, ${column}) REFERENCES ${table} (workspace_id, id)`;
const scale = (column: string) => `smallint CHECK (${column} BETWEEN 1 AND 5)`;

/** What a workspace's own calls do; acceptances of risks are only ever added. */
const TENANT_MAY: Record<string, string> = {
  frameworks: "SELECT, INSERT, UPDATE, DELETE",
  requirements: "SELECT, INSERT, UPDATE, DELETE",
  controls: "SELECT, INSERT, UPDATE, DELETE",
  control_requirements: "SELECT, INSERT, DELETE",
  risks: "SELECT, INSERT, UPDATE, DELETE",
  risk_controls: "SELECT, INSERT, DELETE",
  risk_acceptances: "SELECT, INSERT",
  audits: "SELECT, INSERT, UPDATE, DELETE",
  findings: "SELECT, INSERT, UPDATE, DELETE",
  tasks: "SELECT, INSERT, UPDATE, DELETE",
  policies: "SELECT, INSERT, UPDATE, DELETE",
};

/** Who looks after an entry. */
const OWNED: Record<string, string> = {
  controls: "owner_id",
  risks: "owner_id",
  audits: "lead_id",
  findings: "owner_id",
  tasks: "assignee_id",
  policies: "owner_id",
};

/** What a workspace has to comply with, what it does for that, and what is still wrong. */
export const migration: Migration = {
  name: "0017_register",
  async up(knex) {
    await knex.raw(`
      -- What somebody may do with the register beside talking to a bot.
      ALTER TABLE people ADD role text NOT NULL DEFAULT 'employee'
        CHECK (role IN ('employee', 'officer', 'auditor'));

      -- To whom a bot speaks of it: all that it hears, or people of the workspace only.
      ALTER TABLE connectors ADD register_access text NOT NULL DEFAULT 'heard'
        CHECK (register_access IN ('heard', 'members'));
      GRANT SELECT (register_access), UPDATE (register_access) ON connectors TO ${TENANT_ROLE};

      CREATE TABLE frameworks (${ENTRY},
        CONSTRAINT frameworks_code UNIQUE (workspace_id, code),
        ${ofWorkspace}
      );

      CREATE TABLE requirements (${ENTRY},
        framework_id uuid NOT NULL,
        -- A code means something inside its framework.
        CONSTRAINT requirements_code UNIQUE (workspace_id, framework_id, code),
        CONSTRAINT requirements_framework ${entry("framework_id", "frameworks")}
      );
      CREATE INDEX requirements_of_framework ON requirements (framework_id, workspace_id, id);
      CREATE INDEX requirements_with_code ON requirements (code, workspace_id, id);

      CREATE TABLE controls (${ENTRY},
        status   text NOT NULL DEFAULT 'to_do'
          CHECK (status IN ('to_do', 'in_progress', 'active', 'degraded', 'deprecated')),
        owner_id uuid,
        due_on   date,
        CONSTRAINT controls_code UNIQUE (workspace_id, code),
        CONSTRAINT controls_owner ${person("owner_id")},
        ${ofWorkspace}
      );
      CREATE INDEX controls_in_status ON controls (status, workspace_id, id);
      CREATE INDEX controls_of_owner ON controls (owner_id, workspace_id, id) WHERE owner_id IS NOT NULL;
      CREATE INDEX controls_due ON controls (workspace_id, due_on, id) WHERE due_on IS NOT NULL;

      CREATE TABLE control_requirements (
        workspace_id   uuid NOT NULL,
        control_id     uuid NOT NULL,
        requirement_id uuid NOT NULL,
        PRIMARY KEY (workspace_id, control_id, requirement_id),
        FOREIGN KEY (workspace_id, control_id) REFERENCES controls (workspace_id, id) ON DELETE CASCADE,
        FOREIGN KEY (workspace_id, requirement_id)
          REFERENCES requirements (workspace_id, id) ON DELETE CASCADE
      );
      CREATE INDEX control_requirements_of ON control_requirements
        (requirement_id, workspace_id, control_id);

      CREATE TABLE risks (${ENTRY},
        category            text NOT NULL DEFAULT '' CHECK (length(category) <= 100),
        status              text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
        inherent_likelihood ${scale("inherent_likelihood")},
        inherent_impact     ${scale("inherent_impact")},
        residual_likelihood ${scale("residual_likelihood")},
        residual_impact     ${scale("residual_impact")},
        treatment           text CHECK (treatment IN ('mitigate', 'accept', 'avoid', 'transfer')),
        owner_id            uuid,
        due_on              date,
        -- What is left of it, or what it is before anything was done; null: nobody assessed it.
        score               smallint GENERATED ALWAYS AS (coalesce(
          residual_likelihood * residual_impact, inherent_likelihood * inherent_impact)) STORED,
        CONSTRAINT risks_code UNIQUE (workspace_id, code),
        CONSTRAINT risks_owner ${person("owner_id")},
        ${ofWorkspace},
        CONSTRAINT risks_inherent CHECK ((inherent_likelihood IS NULL) = (inherent_impact IS NULL)),
        CONSTRAINT risks_residual CHECK ((residual_likelihood IS NULL) = (residual_impact IS NULL))
      );
      -- The highest first, those that nobody assessed last.
      CREATE INDEX risks_highest ON risks (workspace_id, (coalesce(score, 0)) DESC, id)
        WHERE status = 'open';
      CREATE INDEX risks_in_status ON risks (status, workspace_id, id);
      CREATE INDEX risks_of_owner ON risks (owner_id, workspace_id, id) WHERE owner_id IS NOT NULL;
      CREATE INDEX risks_due ON risks (workspace_id, due_on, id) WHERE due_on IS NOT NULL;

      CREATE TABLE risk_controls (
        workspace_id uuid NOT NULL,
        risk_id      uuid NOT NULL,
        control_id   uuid NOT NULL,
        PRIMARY KEY (workspace_id, risk_id, control_id),
        FOREIGN KEY (workspace_id, risk_id) REFERENCES risks (workspace_id, id) ON DELETE CASCADE,
        FOREIGN KEY (workspace_id, control_id) REFERENCES controls (workspace_id, id) ON DELETE CASCADE
      );
      CREATE INDEX risk_controls_of ON risk_controls (control_id, workspace_id, risk_id);

      -- Who accepted which risk as it then was, why, and until when. Never changed, never deleted.
      CREATE TABLE risk_acceptances (
        workspace_id uuid        NOT NULL,
        id           uuid        NOT NULL DEFAULT gen_random_uuid(),
        risk_id      uuid        NOT NULL,
        -- As audit entries name who did something: person:<id>, key:<id>, telegram:<id>.
        accepted_by  text        NOT NULL,
        reason       text        NOT NULL CHECK (length(reason) BETWEEN 1 AND 2000),
        score        smallint,
        valid_until  date,
        accepted_at  timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, id),
        CONSTRAINT risk_acceptances_risk ${entry("risk_id", "risks")}
      );
      CREATE INDEX risk_acceptances_of ON risk_acceptances
        (risk_id, workspace_id, accepted_at, id);
      CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON risk_acceptances
        FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

      CREATE TABLE audits (${ENTRY},
        -- What is audited, in the word of who asked: internal, security, iso27001.
        type         text NOT NULL DEFAULT 'internal' CHECK (length(type) BETWEEN 1 AND 100),
        status       text NOT NULL DEFAULT 'planned'
          CHECK (status IN ('planned', 'in_progress', 'completed', 'cancelled')),
        framework_id uuid,
        lead_id      uuid,
        starts_on    date,
        ends_on      date,
        CONSTRAINT audits_code UNIQUE (workspace_id, code),
        CONSTRAINT audits_framework ${entry("framework_id", "frameworks")},
        CONSTRAINT audits_lead ${person("lead_id")},
        ${ofWorkspace},
        CONSTRAINT audits_ends CHECK (ends_on >= starts_on)
      );
      CREATE INDEX audits_in_status ON audits (status, workspace_id, id);
      CREATE INDEX audits_of_framework ON audits (framework_id, workspace_id, id)
        WHERE framework_id IS NOT NULL;
      CREATE INDEX audits_of_lead ON audits (lead_id, workspace_id, id) WHERE lead_id IS NOT NULL;

      CREATE TABLE findings (${ENTRY},
        audit_id   uuid,
        control_id uuid,
        severity   text NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low')),
        status     text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'resolved', 'accepted')),
        owner_id   uuid,
        due_on     date,
        CONSTRAINT findings_code UNIQUE (workspace_id, code),
        CONSTRAINT findings_audit ${entry("audit_id", "audits")},
        CONSTRAINT findings_control ${entry("control_id", "controls")},
        CONSTRAINT findings_owner ${person("owner_id")},
        ${ofWorkspace}
      );
      CREATE INDEX findings_open ON findings (workspace_id, severity) WHERE status = 'open';
      CREATE INDEX findings_in_status ON findings (status, workspace_id, id);
      CREATE INDEX findings_of_control ON findings (control_id, workspace_id, id)
        WHERE control_id IS NOT NULL;
      CREATE INDEX findings_of_audit ON findings (audit_id, workspace_id, id)
        WHERE audit_id IS NOT NULL;
      CREATE INDEX findings_of_owner ON findings (owner_id, workspace_id, id)
        WHERE owner_id IS NOT NULL;
      CREATE INDEX findings_due ON findings (workspace_id, due_on, id) WHERE due_on IS NOT NULL;

      CREATE TABLE tasks (${ENTRY},
        status      text NOT NULL DEFAULT 'open'
          CHECK (status IN ('open', 'in_progress', 'done', 'cancelled')),
        assignee_id uuid,
        due_on      date,
        control_id  uuid,
        risk_id     uuid,
        finding_id  uuid,
        CONSTRAINT tasks_code UNIQUE (workspace_id, code),
        CONSTRAINT tasks_assignee ${person("assignee_id")},
        CONSTRAINT tasks_control ${entry("control_id", "controls")},
        CONSTRAINT tasks_risk ${entry("risk_id", "risks")},
        CONSTRAINT tasks_finding ${entry("finding_id", "findings")},
        ${ofWorkspace}
      );
      CREATE INDEX tasks_open ON tasks (workspace_id, due_on) WHERE status IN ('open', 'in_progress');
      CREATE INDEX tasks_in_status ON tasks (status, workspace_id, id);
      CREATE INDEX tasks_of_assignee ON tasks (assignee_id, workspace_id, id)
        WHERE assignee_id IS NOT NULL;
      CREATE INDEX tasks_of_control ON tasks (control_id, workspace_id, id)
        WHERE control_id IS NOT NULL;
      CREATE INDEX tasks_of_risk ON tasks (risk_id, workspace_id, id) WHERE risk_id IS NOT NULL;
      CREATE INDEX tasks_of_finding ON tasks (finding_id, workspace_id, id)
        WHERE finding_id IS NOT NULL;
      CREATE INDEX tasks_due ON tasks (workspace_id, due_on, id) WHERE due_on IS NOT NULL;

      CREATE TABLE policies (${ENTRY},
        status    text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'active', 'retired')),
        owner_id  uuid,
        -- When it is to be looked at again.
        review_on date,
        CONSTRAINT policies_code UNIQUE (workspace_id, code),
        CONSTRAINT policies_owner ${person("owner_id")},
        ${ofWorkspace}
      );
      CREATE INDEX policies_in_status ON policies (status, workspace_id, id);
      CREATE INDEX policies_of_owner ON policies (owner_id, workspace_id, id)
        WHERE owner_id IS NOT NULL;

      -- What is near a name that somebody typed in a chat, what is under way, what was recorded within a
      -- time. Partial, so that nothing takes them for a key.
      CREATE INDEX frameworks_by_code ON frameworks (workspace_id, lower(code)) WHERE code <> '';
      CREATE INDEX frameworks_by_title ON frameworks (workspace_id, lower(title)) WHERE title <> '';
      CREATE INDEX audits_under_way ON audits (workspace_id, created_at)
        WHERE status IN ('planned', 'in_progress');
      CREATE INDEX audits_recorded ON audits (workspace_id, created_at) WHERE code <> '';
      CREATE INDEX findings_recorded ON findings (workspace_id, created_at) WHERE code <> '';
      CREATE INDEX risks_recorded ON risks (workspace_id, created_at) WHERE code <> '';
      CREATE INDEX risk_acceptances_given ON risk_acceptances (workspace_id, accepted_at)
        WHERE reason <> '';
      -- Those that were numbered, for the next number.
      CREATE INDEX audits_numbered ON audits (workspace_id, (substring(code FROM 4)::integer))
        WHERE code ~ '^AU-[1-9][0-9]{0,5}$';

      -- What somebody owned is nobody's once they are gone. (SET NULL of one column of a key of two
      -- needs Postgres 15.)
      CREATE FUNCTION person_owns_no_more() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        ${Object.entries(OWNED)
          .map(
            ([table, column]) => `UPDATE ${table}
          SET ${column} = NULL, version = version + 1, updated_at = now()
          WHERE workspace_id = OLD.workspace_id AND ${column} = OLD.id;`,
          )
          .join("\n        ")}
        RETURN OLD;
      END $$;
      CREATE TRIGGER person_owns_no_more BEFORE DELETE ON people
        FOR EACH ROW EXECUTE FUNCTION person_owns_no_more();

      ${Object.entries(TENANT_MAY)
        .map(([table, tenantMay]) => tenantTable(table, { tenantMay }))
        .join("\n")}
    `);
  },
};
