import type { Queryable } from "../platform/index.ts";
import { type EntryRow, type EntryView, entryView } from "./entries.ts";
import { entrySql } from "./entry-sql.ts";
import { type Field, KINDS, type Kind, type KindName, kindNamed } from "./kinds.ts";

/** One thing that a kind's entries can be listed by, made from its description. */
export interface EntryFilter {
  /** As the query names it: `status`, `owner`, `framework`, `requirement`, `code`, `dueBefore`. */
  name: string;
  /** What its value is. */
  type: "text" | "choice" | "id" | "date";
  /** Of a choice. */
  values?: readonly string[];
  /** SQL of the condition for a parameter, and of the join that it needs. */
  condition(param: string): string;
  join?: string;
}

function filtersOf(field: Field): EntryFilter[] {
  const equals = (column: string) => (param: string) => `e.${column} = ${param}`;
  switch (field.type) {
    case "choice":
      if (field.name !== "status") return [];
      return [
        {
          name: field.name,
          type: "choice",
          values: field.values,
          condition: equals(field.column),
        },
      ];
    case "person":
    case "entry":
      return [{ name: field.name, type: "id", condition: equals(field.column) }];
    case "entries":
      return [
        {
          name: field.of,
          type: "id",
          join: `JOIN ${field.table} l ON l.workspace_id = e.workspace_id AND l.${field.ownColumn} = e.id`,
          condition: (param) => `l.${field.column} = ${param}`,
        },
      ];
    case "date":
      if (field.name !== "dueOn") return [];
      return [
        { name: DUE_BEFORE, type: "date", condition: (param) => `e.due_on < ${param}::date` },
      ];
    default:
      return [];
  }
}

/** Lists that are asked for by it begin with what is due first; others go by id. */
export const DUE_BEFORE = "dueBefore";

const CODE: EntryFilter = { name: "code", type: "text", condition: (param) => `e.code = ${param}` };

const FILTERS = new Map(
  KINDS.map(({ name, fields }) => [name, [CODE, ...fields.flatMap(filtersOf)]]),
);

/**
 * A limit that the planner does not know: it then goes along the index, in its order, where otherwise
 * it may take all rows for fewer than a page, and read and sort them.
 */
export const unforeseen = (param: string) => `(SELECT ${param}::integer)`;

/** Each is led to by an index of its own (migrations/0017_register.ts). */
export const entryFilters = ({ name }: Kind): readonly EntryFilter[] => FILTERS.get(name) ?? [];

/** Where a page begins: behind this entry. `dueOn`: in a list that goes by it. */
export interface EntryPlace {
  id: string;
  dueOn?: string;
}

/**
 * At most `limit` entries that meet all that is given, by name as in `entryFilters`; what is undefined
 * does not count. By what is due first where `dueBefore` is given, and by id otherwise.
 */
export async function listEntries(
  on: Queryable,
  {
    workspaceId,
    kind: name,
    filter,
    after,
    limit,
  }: {
    workspaceId: string;
    kind: KindName;
    filter: Readonly<Record<string, string | undefined>>;
    after?: EntryPlace;
    limit: number;
  },
): Promise<EntryView[]> {
  const kind = kindNamed(name);
  const params: unknown[] = [workspaceId, limit];
  const joins: string[] = [];
  const conditions = ["e.workspace_id = $1"];
  for (const { name: by, condition, join } of entryFilters(kind)) {
    const value = filter[by];
    if (value === undefined) continue;
    if (join !== undefined) joins.push(join);
    conditions.push(condition(`$${params.push(value)}`));
  }
  const byDue = filter[DUE_BEFORE] !== undefined;
  if (after !== undefined) {
    const id = `$${params.push(after.id)}::uuid`;
    conditions.push(
      byDue ? `(e.due_on, e.id) > ($${params.push(after.dueOn)}::date, ${id})` : `e.id > ${id}`,
    );
  }
  const rows = await on.query<EntryRow>(
    `SELECT ${entrySql(name).columns} FROM ${kind.table} e ${joins.join(" ")}
     WHERE ${conditions.join(" AND ")}
     ORDER BY ${byDue ? "e.due_on, " : ""}e.id LIMIT ${unforeseen("$2")}`,
    params,
  );
  return rows.map((row) => entryView(kind, row));
}
