import { type Field, KINDS, type Kind, type KindName } from "./kinds.ts";

/** A field that stands in a column of the entry's own table. */
export type Scalar = Exclude<Field, { type: "entries" }>;
export type Links = Extract<Field, { type: "entries" }>;

export const isLinks = (field: Field): field is Links => field.type === "entries";
export const isScalar = (field: Field): field is Scalar => field.type !== "entries";

const SQL_TYPES: Record<Scalar["type"], string> = {
  text: "text",
  choice: "text",
  scale: "smallint",
  date: "date",
  person: "uuid",
  entry: "uuid",
};

/** What every kind has beside its fields. */
const COMMON = ["code", "title", "description"] as const;

/** What is worked out of an entry's fields and not given, by kind. */
const DERIVED: Partial<Record<KindName, readonly string[]>> = { risk: ["score"] };

function read(field: Field): string {
  if (isLinks(field)) {
    return `ARRAY(SELECT l.${field.column}::text FROM ${field.table} l
    WHERE l.workspace_id = e.workspace_id AND l.${field.ownColumn} = e.id
    ORDER BY l.${field.column}) AS "${field.name}"`;
  }
  // A date is a day, wherever it is read.
  const value = field.type === "date" ? `e.${field.column}::text` : `e.${field.column}`;
  return `${value} AS "${field.name}"`;
}

/** Of `<table> e`, each under the name that the API has for it. */
const columnsOf = (kind: Kind): string =>
  [
    ...["id", ...COMMON, "version"].map((column) => `e.${column}`),
    ...kind.fields.map(read),
    ...(DERIVED[kind.name] ?? []).map((column) => `e.${column}`),
    'e.created_at AS "createdAt"',
    'e.updated_at AS "updatedAt"',
  ].join(", ");

/** `$4` is JSON with what changes; null empties a field, what it does not name stays. */
const assigned = (column: string, name: string, type: string): string =>
  `${column} = CASE WHEN $4::jsonb ? '${name}' THEN ($4::jsonb ->> '${name}')::${type} ELSE e.${column} END`;

/** The statements about one kind of entry. */
export interface EntrySql {
  columns: string;
  /** (workspace, id) */
  find: string;
  /** (workspace, code, title, description, each scalar of the kind) */
  insert: string;
  /** (workspace, id, version or null, JSON of what changes) */
  change: string;
  /** (workspace, id) */
  remove: string;
}

function sqlOf(kind: Kind): EntrySql {
  const scalars = kind.fields.filter(isScalar);
  const columns = columnsOf(kind);
  const inserted = [...COMMON, ...scalars.map(({ column }) => column)];
  return {
    columns,
    find: `/* register.find-${kind.name} */
SELECT ${columns} FROM ${kind.table} e WHERE e.workspace_id = $1 AND e.id = $2`,
    insert: `/* register.insert-${kind.name} */
INSERT INTO ${kind.table} (workspace_id, ${inserted.join(", ")})
VALUES ($1, ${inserted.map((_, n) => `$${n + 2}`).join(", ")}) RETURNING id`,
    change: `/* register.change-${kind.name} */
UPDATE ${kind.table} e SET
  ${[
    ...COMMON.map((column) => assigned(column, column, "text")),
    ...scalars.map(({ column, name, type }) => assigned(column, name, SQL_TYPES[type])),
  ].join(",\n  ")},
  version = e.version + 1, updated_at = now()
WHERE e.workspace_id = $1 AND e.id = $2 AND ($3::integer IS NULL OR e.version = $3)
RETURNING e.id`,
    remove: `/* register.remove-${kind.name} */
DELETE FROM ${kind.table} WHERE workspace_id = $1 AND id = $2 RETURNING id`,
  };
}

const ALL = new Map(KINDS.map((kind) => [kind.name, sqlOf(kind)]));

export function entrySql(name: KindName): EntrySql {
  const sql = ALL.get(name);
  if (sql === undefined) throw new Error(`no kind of entry is called ${name}`);
  return sql;
}

/** The statements about the links of one field, each to another entry. */
export interface LinkSql {
  /** (workspace, ids): which of them are of no entry, by their place from 0. */
  unknown: string;
  /** (workspace, own id, ids): those that are not to be there any more. */
  remove: string;
  /** (workspace, own id, ids): those that are not there yet. */
  add: string;
}

function linkSqlOf(field: Links): LinkSql {
  const { table, ownColumn, column } = field;
  const target = KINDS.find(({ name }) => name === field.of)?.table;
  return {
    unknown: `/* register.unknown-${field.of} */
SELECT (given.n - 1)::integer AS n FROM unnest($2::uuid[]) WITH ORDINALITY AS given(id, n)
WHERE NOT EXISTS (SELECT FROM ${target} e WHERE e.workspace_id = $1 AND e.id = given.id)
ORDER BY given.n LIMIT 20`,
    remove: `/* register.unlink-${field.of} */
DELETE FROM ${table} WHERE workspace_id = $1 AND ${ownColumn} = $2 AND ${column} <> ALL ($3::uuid[])`,
    add: `/* register.link-${field.of} */
INSERT INTO ${table} (workspace_id, ${ownColumn}, ${column})
SELECT $1, $2, given.id FROM unnest($3::uuid[]) AS given(id) ORDER BY given.id
ON CONFLICT DO NOTHING`,
  };
}

const LINKS = new Map(
  KINDS.flatMap(({ fields }) => fields.filter(isLinks)).map((field) => [
    field.table,
    linkSqlOf(field),
  ]),
);

export function linkSql({ table }: Links): LinkSql {
  const sql = LINKS.get(table);
  if (sql === undefined) throw new Error(`no links are kept in ${table}`);
  return sql;
}
