import { ENGINE_ROLE, TENANT_ROLE } from "../src/platform/database-roles.ts";
import type { Migration } from "../src/platform/migration.ts";
import { tenantTable } from "./tenant-table.ts";

type Operation = "INSERT" | "UPDATE" | "DELETE";

/** How the rows of a statement's trigger count: what is there from now on, less what was there. */
const CHANGED: Record<Operation, { tables: string; rows: string }> = {
  INSERT: { tables: "NEW TABLE AS new_rows", rows: "SELECT *, 1 AS sign FROM new_rows" },
  DELETE: { tables: "OLD TABLE AS old_rows", rows: "SELECT *, -1 AS sign FROM old_rows" },
  UPDATE: {
    tables: "OLD TABLE AS old_rows NEW TABLE AS new_rows",
    rows: "SELECT *, 1 AS sign FROM new_rows UNION ALL SELECT *, -1 AS sign FROM old_rows",
  },
};
const OPERATIONS = Object.keys(CHANGED) as Operation[];

/**
 * What a change of some rows adds to which count, as SQL of (workspace, subject, what, n). The bounds
 * of a risk's levels are those of src/register/score.ts.
 */
const COUNTS: Record<string, ((rows: string) => string) | null> = {
  frameworks: null,
  requirements: (rows) => `
    SELECT c.workspace_id, s.id, w.what, sum(c.sign * w.n)
    FROM (${rows}) c
    CROSS JOIN LATERAL (VALUES (c.workspace_id), (c.framework_id)) s(id)
    CROSS JOIN LATERAL (VALUES
      ('requirements', 1),
      ('points', c.points),
      ('met', (c.points = 10000)::integer),
      ('without_controls', (c.live_controls = 0)::integer)) w(what, n)
    GROUP BY 1, 2, 3 HAVING sum(c.sign * w.n) <> 0`,
  controls: null,
  risks: (rows) => `
    SELECT c.workspace_id, c.workspace_id, CASE
        WHEN c.score IS NULL THEN 'unassessed_risks'
        WHEN c.score >= 20 THEN 'critical_risks'
        WHEN c.score >= 12 THEN 'high_risks'
        WHEN c.score >= 6 THEN 'medium_risks'
        ELSE 'low_risks' END, sum(c.sign)
    FROM (${rows}) c WHERE c.status = 'open' GROUP BY 1, 3 HAVING sum(c.sign) <> 0`,
  audits: null,
  findings: (rows) => `
    SELECT c.workspace_id, c.workspace_id, 'critical_findings', sum(c.sign)
    FROM (${rows}) c WHERE c.status = 'open' AND c.severity = 'critical'
    GROUP BY 1 HAVING sum(c.sign) <> 0`,
  tasks: (rows) => `
    SELECT c.workspace_id, c.workspace_id, 'open_tasks', sum(c.sign)
    FROM (${rows}) c WHERE c.status IN ('open', 'in_progress')
    GROUP BY 1 HAVING sum(c.sign) <> 0`,
  policies: null,
};

/** A trigger for each kind of statement: one for several may not name the tables of what changed. */
const trigger = (table: string, name: string, operation: Operation, body: string) => `
  CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    ${body}
    RETURN NULL;
  END $$;
  CREATE TRIGGER ${name} AFTER ${operation} ON ${table}
    REFERENCING ${CHANGED[operation].tables} FOR EACH STATEMENT EXECUTE FUNCTION ${name}();`;

const counted = (table: string, operation: Operation) => {
  const { rows } = CHANGED[operation];
  const counts = COUNTS[table]?.(rows);
  return trigger(
    table,
    `count_${table}_after_${operation.toLowerCase()}`,
    operation,
    `PERFORM add_register_counts(array_agg(d.workspace_id), array_agg(d.subject_id),
      array_agg(d.what::text), array_agg(d.n::bigint))
    FROM (
      ${counts === undefined ? "" : `${counts} UNION ALL`}
      SELECT DISTINCT c.workspace_id, c.workspace_id, 'changed', 0 FROM (${rows}) c
    ) d(workspace_id, subject_id, what, n) HAVING count(*) > 0;`,
  );
};

/**
 * The requirements are locked in one order first, so that two statements about many of them do not
 * wait for each other in a ring.
 */
const linked = (operation: Operation) =>
  trigger(
    "control_requirements",
    `count_links_after_${operation.toLowerCase()}`,
    operation,
    `PERFORM FROM requirements r
    WHERE (r.workspace_id, r.id) IN (
      SELECT c.workspace_id, c.requirement_id FROM (${CHANGED[operation].rows}) c)
    ORDER BY r.workspace_id, r.id FOR NO KEY UPDATE;
    UPDATE requirements r
    SET live_controls = r.live_controls + d.live, control_halves = r.control_halves + d.halves
    FROM (
      SELECT c.workspace_id, c.requirement_id,
        sum(c.sign * (c.worth IS NOT NULL)::integer) AS live, sum(c.sign * coalesce(c.worth, 0)) AS halves
      FROM (${CHANGED[operation].rows}) c GROUP BY 1, 2
    ) d
    WHERE r.workspace_id = d.workspace_id AND r.id = d.requirement_id
      AND (d.live <> 0 OR d.halves <> 0);`,
  );

/**
 * How well a workspace complies, kept as counts while its register changes: whoever asks reads a
 * handful of rows, whatever there is (docs/decisions/0028-scores-are-counted-as-they-change.md).
 */
export const migration: Migration = {
  name: "0020_register_counts",
  async up(knex) {
    await knex.raw(`
      CREATE TABLE register_counts (
        workspace_id uuid        NOT NULL,
        -- A framework, or the workspace itself.
        subject_id   uuid        NOT NULL,
        what         text        NOT NULL,
        n            bigint      NOT NULL,
        changed_at   timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, subject_id, what)
      ) WITH (fillfactor = 50);
      -- What is not in the counts yet: nobody who changes an entry waits for another who does.
      -- The truth is the sum of both tables, read in one statement.
      CREATE TABLE register_count_changes (
        workspace_id uuid        NOT NULL,
        subject_id   uuid        NOT NULL,
        id           bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
        what         text        NOT NULL,
        n            bigint      NOT NULL,
        changed_at   timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, subject_id, id)
      ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
      ${tenantTable("register_counts", { tenantMay: "SELECT, INSERT, UPDATE" })}
      ${tenantTable("register_count_changes", { tenantMay: "SELECT, INSERT, DELETE" })}

      -- Whoever adds to a workspace's counts holds them until the transaction's end; who finds another
      -- at it leaves theirs beside them for the next: an import may be at it for minutes, and nobody
      -- waits for it.
      CREATE FUNCTION add_register_counts(workspaces uuid[], subjects uuid[], whats text[], ns bigint[])
      RETURNS void LANGUAGE plpgsql AS $$
      DECLARE
        workspace uuid;
      BEGIN
        FOR workspace IN SELECT DISTINCT w FROM unnest(workspaces) w LOOP
          IF pg_try_advisory_xact_lock(
              hashtext('heliograph register counts'), hashtext(workspace::text)) THEN
            WITH left_over AS (
              DELETE FROM register_count_changes c WHERE c.workspace_id = workspace
              RETURNING c.subject_id, c.what, c.n, c.changed_at
            )
            INSERT INTO register_counts AS c (workspace_id, subject_id, what, n, changed_at)
            SELECT workspace, d.subject_id, d.what, sum(d.n), max(d.changed_at)
            FROM (
              SELECT a.subject_id, a.what, a.n, now() AS changed_at
              FROM unnest(workspaces, subjects, whats, ns) AS a(workspace_id, subject_id, what, n)
              WHERE a.workspace_id = workspace
              UNION ALL
              SELECT l.subject_id, l.what, l.n, l.changed_at FROM left_over l
            ) d
            GROUP BY d.subject_id, d.what
            ON CONFLICT (workspace_id, subject_id, what) DO UPDATE
            SET n = c.n + excluded.n, changed_at = greatest(c.changed_at, excluded.changed_at);
          ELSE
            INSERT INTO register_count_changes (workspace_id, subject_id, what, n)
            SELECT a.workspace_id, a.subject_id, a.what, a.n
            FROM unnest(workspaces, subjects, whats, ns) AS a(workspace_id, subject_id, what, n)
            WHERE a.workspace_id = workspace;
          END IF;
        END LOOP;
      END $$;
      GRANT EXECUTE ON FUNCTION add_register_counts(uuid[], uuid[], text[], bigint[])
        TO ${TENANT_ROLE}, ${ENGINE_ROLE};

      -- Of a requirement: its controls that are not deprecated, and in halves what they are worth
      -- together (2: active, 1: degraded, 0: not in place). Points are hundredths of a percent, as
      -- whole numbers: sums of them stay exact.
      ALTER TABLE requirements
        ADD live_controls  integer NOT NULL DEFAULT 0,
        ADD control_halves integer NOT NULL DEFAULT 0,
        ADD points         integer GENERATED ALWAYS AS (CASE WHEN live_controls = 0 THEN 0
          ELSE (5000::bigint * control_halves / live_controls)::integer END) STORED,
        ADD CONSTRAINT requirements_counts
          CHECK (live_controls >= 0 AND control_halves BETWEEN 0 AND 2 * live_controls);

      CREATE FUNCTION control_worth(status text) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE
        RETURN (CASE status WHEN 'active' THEN 2 WHEN 'degraded' THEN 1
          WHEN 'deprecated' THEN NULL ELSE 0 END)::smallint;
      GRANT EXECUTE ON FUNCTION control_worth(text) TO ${TENANT_ROLE}, ${ENGINE_ROLE};

      -- The control's worth stands on the link, so that a link that goes with its control still says
      -- what went.
      ALTER TABLE control_requirements ADD worth smallint CHECK (worth BETWEEN 0 AND 2);
      GRANT UPDATE (worth) ON control_requirements TO ${TENANT_ROLE};

      -- FOR SHARE: a status that is being changed by another is waited for, or the change would not
      -- see this link and this link would not see the change.
      CREATE FUNCTION link_takes_worth() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        SELECT control_worth(c.status) INTO NEW.worth FROM controls c
        WHERE c.workspace_id = NEW.workspace_id AND c.id = NEW.control_id FOR SHARE;
        RETURN NEW;
      END $$;
      CREATE TRIGGER link_takes_worth BEFORE INSERT OR UPDATE OF workspace_id, control_id
        ON control_requirements FOR EACH ROW EXECUTE FUNCTION link_takes_worth();

      -- One statement may make a control and its links: the control is seen only when it is over.
      ${trigger(
        "control_requirements",
        "links_find_control",
        "INSERT",
        `UPDATE control_requirements l SET worth = control_worth(c.status)
        FROM new_rows n
        JOIN controls c ON c.workspace_id = n.workspace_id AND c.id = n.control_id
        WHERE n.worth IS NULL AND c.status <> 'deprecated'
          AND l.workspace_id = n.workspace_id AND l.control_id = n.control_id
          AND l.requirement_id = n.requirement_id;`,
      )}
      ${trigger(
        "controls",
        "links_follow_control",
        "UPDATE",
        `UPDATE control_requirements l SET worth = control_worth(n.status)
        FROM new_rows n
        WHERE l.workspace_id = n.workspace_id AND l.control_id = n.id
          AND l.worth IS DISTINCT FROM control_worth(n.status);`,
      )}
      ${OPERATIONS.map(linked).join("\n")}
      ${Object.keys(COUNTS)
        .flatMap((table) => OPERATIONS.map((operation) => counted(table, operation)))
        .join("\n")}
    `);
  },
};
