import { fewRows } from "../../platform/index.ts";
import { type Kind, type KindName, kindNamed } from "../kinds.ts";
import {
  type EntriesField,
  entriesFieldsOf,
  type OwnField,
  ownFieldsOf,
  withinOf,
} from "./fields.ts";

/**
 * The statements of imports and exports, made of what a kind holds: the same text every time, so that
 * they are prepared like those that are written out. `$1` is always the workspace. Columns come back as
 * text, under the names of the fields.
 */
export interface KindStatements {
  /** Entries by `$2` codes, of kinds within another by `$3` ids of those, too; locked in that order. */
  find: string;
  /** The same without locks, for who changes nothing. */
  look: string;
  /** `$2` ids, and from `$3` on a list for each own field. */
  create: string;
  change: string;
  /** Ids by `$2` codes, with the codes of what they stand within. */
  references: string;
  /** By name of the field: the ids that each of `$2` is linked with; links to make; links to end. */
  links: ReadonlyMap<string, LinkStatements>;
}

export interface LinkStatements {
  find: string;
  make: string;
  end: string;
}

/** The type of its column in Postgres. */
function typeOf(field: OwnField): string {
  switch (field.type) {
    case "scale":
      return "smallint";
    case "date":
      return "date";
    case "person":
    case "entry":
      return "uuid";
    default:
      return "text";
  }
}

export function asText(field: OwnField, column: string): string {
  if (field.type === "text" || field.type === "choice") return column;
  // Not by a cast: how that is written is a setting of the server's.
  return field.type === "date" ? `to_char(${column}, 'YYYY-MM-DD')` : `${column}::text`;
}

/** Those whose values a change writes: an entry keeps its code, and what that means something in. */
export const changedFieldsOf = (kind: Kind): OwnField[] =>
  ownFieldsOf(kind).filter(({ name }) => name !== "code" && name !== kind.codeWithin);

function statementsOf(kind: Kind): KindStatements {
  const { plural, table } = kind;
  const own = ownFieldsOf(kind);
  const changed = changedFieldsOf(kind);
  const lists = (fields: readonly OwnField[]) =>
    fields.map((field, n) => `$${n + 3}::${typeOf(field)}[]`).join(", ");
  const columns = (fields: readonly OwnField[]) => fields.map(({ column }) => column).join(", ");
  const within = withinOf(kind);
  const keys =
    within === undefined ? "$2::text[]) AS t(code" : "$2::text[], $3::uuid[]) AS t(code, within";
  const isThere = within === undefined ? "" : ` AND e.${within.column} = t.within`;
  const find = (tag: string) => `/* register.${tag}-${plural} */
SELECT e.id::text AS id, ${own.map((field) => `${asText(field, `e.${field.column}`)} AS "${field.name}"`).join(", ")}
FROM (SELECT * FROM unnest(${keys}) ${fewRows("$2")}) t
JOIN ${table} e ON e.workspace_id = $1 AND e.code = t.code${isThere}
ORDER BY e.code, e.id`;
  return {
    look: find("look-up"),
    find: `${find("hold")}
FOR NO KEY UPDATE OF e`,
    create: `/* register.create-${plural} */
WITH made AS (
  INSERT INTO ${table} (workspace_id, id, ${columns(own)})
  SELECT $1, t.* FROM unnest($2::uuid[], ${lists(own)}) AS t
  ON CONFLICT DO NOTHING RETURNING 1
) SELECT count(*)::int AS count FROM made`,
    change: `/* register.change-${plural} */
UPDATE ${table} e
SET ${changed.map(({ column }) => `${column} = t.${column}`).join(", ")},
  version = e.version + 1, updated_at = now()
FROM (
  SELECT * FROM unnest($2::uuid[], ${lists(changed)}) AS t(id, ${columns(changed)}) ${fewRows("$2")}
) t
WHERE e.workspace_id = $1 AND e.id = t.id`,
    references: `/* register.references-${plural} */
SELECT e.id::text AS id, e.code, ${within === undefined ? "NULL" : "w.code"} AS within
FROM (SELECT * FROM unnest($2::text[]) AS t(code) ${fewRows("$2")}) t
JOIN ${table} e ON e.workspace_id = $1 AND e.code = t.code${joinWithin(kind)}`,
    links: new Map(entriesFieldsOf(kind).map((field) => [field.name, linksOf(kind, field)])),
  };
}

/** The entry that a kind's codes mean something in, as `w`. */
export function joinWithin(kind: Kind): string {
  const within = withinOf(kind);
  if (within === undefined) return "";
  return `
JOIN ${kindNamed(within.of).table} w ON w.workspace_id = $1 AND w.id = e.${within.column}`;
}

function linksOf(kind: Kind, { name, table, column, ownColumn }: EntriesField): LinkStatements {
  const tag = `${kind.plural}-${name}`;
  return {
    find: `/* register.links-of-${tag} */
SELECT l.${ownColumn}::text AS id, array_agg(l.${column}::text) AS linked
FROM (SELECT * FROM unnest($2::uuid[]) AS t(id) ${fewRows("$2")}) t
JOIN ${table} l ON l.workspace_id = $1 AND l.${ownColumn} = t.id
GROUP BY l.${ownColumn}`,
    make: `/* register.link-${tag} */
INSERT INTO ${table} (workspace_id, ${ownColumn}, ${column})
SELECT $1, t.own, t.other FROM unnest($2::uuid[], $3::uuid[]) AS t(own, other)
ON CONFLICT DO NOTHING`,
    end: `/* register.unlink-${tag} */
DELETE FROM ${table} l
USING (SELECT * FROM unnest($2::uuid[], $3::uuid[]) AS t(own, other) ${fewRows("$2")}) t
WHERE l.workspace_id = $1 AND l.${ownColumn} = t.own AND l.${column} = t.other`,
  };
}

const made = new Map<KindName, KindStatements>();

export function statementsFor(kind: Kind): KindStatements {
  const known = made.get(kind.name);
  if (known !== undefined) return known;
  const statements = statementsOf(kind);
  made.set(kind.name, statements);
  return statements;
}
