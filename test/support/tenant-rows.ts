import { randomInt, randomUUID } from "node:crypto";
import type { Queryable } from "../../src/platform/index.ts";
import { foreignKeys } from "./tenancy-catalogue.ts";

/** A row as Postgres gives it for `to_jsonb`. */
export type JsonRow = Record<string, unknown>;

/** SQL of a value for a column that must have one, by its type. Each is another than the last. */
const VALUES: Record<string, () => string> = {
  uuid: () => `'${randomUUID()}'`,
  text: () => `'text-${randomInt(2 ** 47)}'`,
  bigint: () => String(randomInt(2 ** 47)),
  integer: () => "1",
  smallint: () => "1",
  boolean: () => "false",
  real: () => "1",
  "double precision": () => "1",
  "timestamp with time zone": () => "now()",
  jsonb: () => "'{}'",
  bytea: () => "sha256('x')",
  date: () => "now()",
  "text[]": () => "'{}'",
  int8multirange: () => "'{[1,2)}'",
};

/** Where a table's checks want something else than any value of the type. SQL, by table and column. */
const CHECKED: Record<string, Record<string, () => string>> = {
  api_keys: {
    scopes: () => "'{read}'",
    key_hash: () => `sha256('${randomUUID()}')`,
  },
  connectors: {
    status: () => "'active'",
    token_sealed: () => "'\\x00'",
    secret_hash: () => "sha256('x')",
  },
  person_links: { token_hash: () => `sha256('${randomUUID()}')` },
  lanes: { queue: () => "'ingest'" },
  jobs: { queue: () => "'ingest'" },
  messages: { direction: () => "'in'" },
  members: { status: () => "'member'" },
  account_rules: { chat_id: () => String(randomInt(2 ** 47)) },
  conversation_events: { what: () => "'status'" },
  outbound_messages: {
    chat_id: () => "'5'",
    kind: () => "'message'",
    on_unknown: () => "'hold'",
  },
  approval_rules: { approvals: () => "1" },
  approval_decisions: { approver: () => "'key:a'", verdict: () => "'approved'" },
  approval_buttons: { verdict: () => "'approve'" },
  broadcasts: { state: () => "'paused'" },
  templates: { name: () => `'t${randomInt(2 ** 47)}'` },
  template_versions: { format: () => "'html'" },
  findings: { severity: () => "'high'" },
  evidence: { status: () => "'draft'" },
  evidence_revisions: { number: () => String(randomInt(1, 2 ** 31 - 1)) },
  stored_files: {
    state: () => "'stored'",
    sha256: () => "sha256('x')",
    size_bytes: () => "1",
    stored_at: () => "now()",
  },
  evidence_files: { state: () => "'queued'" },
  dialogs: {
    kind: () => "'evidence_collection'",
    token: () => `'${randomUUID().slice(0, 16)}'`,
  },
  audit_entries: {
    actor_kind: () => "'system'",
    action: () => "'key.created'",
    subject_kind: () => "'key'",
  },
};

interface ColumnRow {
  name: string;
  type: string;
  needed: boolean;
}

const COLUMNS = `
SELECT attname AS name, format_type(atttypid, NULL) AS type,
  attnotnull AND NOT atthasdef AND attidentity = '' AS needed
FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
ORDER BY attnum`;

/**
 * Makes a row of any table for a workspace, with those that its foreign keys point at. Columns that
 * may be empty stay so, but for those of foreign keys. A column whose CHECK no value of its type
 * meets by chance is named in `CHECKED`.
 */
export class TenantRows {
  private readonly on: Queryable;
  private readonly workspaceId: string;
  private readonly made = new Map<string, Promise<JsonRow>>();

  constructor(on: Queryable, workspaceId: string) {
    this.on = on;
    this.workspaceId = workspaceId;
  }

  /** The workspace's row of that table: always the same one. */
  of(table: string): Promise<JsonRow> {
    const made = this.made.get(table) ?? this.make(table);
    this.made.set(table, made);
    return made;
  }

  private async make(table: string): Promise<JsonRow> {
    const columns = await this.on.query<ColumnRow>(COLUMNS, [table]);
    const pointed = await this.pointedAt(table);
    const values = new Map<string, string>();
    for (const { name, type, needed } of columns) {
      const checked = CHECKED[table]?.[name];
      if (name === "workspace_id" || (table === "workspaces" && name === "id")) {
        values.set(name, `'${this.workspaceId}'`);
      } else if (pointed.has(name)) {
        values.set(name, literal(pointed.get(name)));
      } else if (checked !== undefined) {
        values.set(name, checked());
      } else if (needed) {
        const value = VALUES[type];
        if (value === undefined) throw new Error(`no value known for ${table}.${name}, ${type}`);
        values.set(name, value());
      }
    }
    const [row] = await this.on.query<{ row: JsonRow }>(
      `INSERT INTO ${table} (${[...values.keys()].join(", ")}) VALUES (${[...values.values()].join(", ")})
       RETURNING to_jsonb(${table}) AS row`,
    );
    if (row === undefined) throw new Error(`no row of ${table}`);
    return row.row;
  }

  /** What the columns of its foreign keys hold. */
  private async pointedAt(table: string): Promise<Map<string, unknown>> {
    const values = new Map<string, unknown>();
    for (const key of await foreignKeys(this.on)) {
      if (key.child !== table || key.parent === table) continue;
      const parent = await this.of(key.parent);
      key.child_columns.forEach((column, n) => {
        const value = parent[key.parent_columns[n] ?? ""];
        if (!values.has(column)) values.set(column, value);
      });
    }
    return values;
  }
}

const literal = (value: unknown): string =>
  value === null || value === undefined ? "NULL" : `'${String(value).replaceAll("'", "''")}'`;
