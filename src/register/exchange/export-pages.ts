import type { Queryable } from "../../platform/index.ts";
import { type Field, type Kind, type KindName, kindNamed } from "../kinds.ts";
import { csvLine } from "./csv.ts";
import { fieldsOf, withinOf } from "./fields.ts";
import { guarded } from "./formula-guard.ts";
import type { FileFormat } from "./read-file.ts";
import { listCell, type Reference, referenceText } from "./references.ts";
import { asText } from "./statements.ts";

/** Entries that are read, and held, at a time. */
const PAGE = 500;
const FIRST = { code: "", within: "00000000-0000-0000-0000-000000000000" };

interface PageStatements {
  /** `$1` workspace, `$2` the code to go on after, `$3` how many, `$4` what that code is within. */
  page: string;
  count: string;
}

const made = new Map<KindName, PageStatements>();

function statementsFor(kind: Kind): PageStatements {
  const known = made.get(kind.name);
  if (known !== undefined) return known;
  const within = withinOf(kind);
  const columns = fieldsOf(kind).map((field) => `${selected(field)} AS "${field.name}"`);
  // By the index that keeps codes unique.
  const order = within === undefined ? "e.code" : `e.${within.column}, e.code`;
  const after = within === undefined ? "e.code > $2" : `(${order}) > ($4::uuid, $2)`;
  const place = within === undefined ? "NULL" : `e.${within.column}::text`;
  const statements = {
    page: `/* register.export-${kind.plural} */
SELECT ${columns.join(",\n  ")},
  ${place} AS "#within"
FROM ${kind.table} e WHERE e.workspace_id = $1 AND ${after}
ORDER BY ${order} LIMIT $3`,
    count: `/* register.count-${kind.plural} */
SELECT count(*)::int AS count FROM ${kind.table} WHERE workspace_id = $1`,
  };
  made.set(kind.name, statements);
  return statements;
}

function selected(field: Field): string {
  if (field.type === "entry") {
    return `(SELECT ${referenceOf(field.of)} FROM ${kindNamed(field.of).table} x
    WHERE x.workspace_id = $1 AND x.id = e.${field.column})`;
  }
  if (field.type === "entries") {
    return `(SELECT json_agg(${referenceOf(field.of)} ORDER BY x.code, x.id)
    FROM ${field.table} l JOIN ${kindNamed(field.of).table} x ON x.workspace_id = $1 AND x.id = l.${field.column}
    WHERE l.workspace_id = $1 AND l.${field.ownColumn} = e.id)`;
  }
  return asText(field, `e.${field.column}`);
}

/** Of `x`: what it stands within, and its code. */
function referenceOf(name: KindName): string {
  const within = withinOf(kindNamed(name));
  if (within === undefined) return "json_build_array(NULL, x.code)";
  const owner = `SELECT w.code FROM ${kindNamed(within.of).table} w
      WHERE w.workspace_id = $1 AND w.id = x.${within.column}`;
  return `json_build_array((${owner}), x.code)`;
}

export async function countEntries(
  tx: Queryable,
  workspaceId: string,
  kinds: readonly Kind[],
): Promise<number> {
  let sum = 0;
  for (const kind of kinds) {
    const [row] = await tx.query<{ count: number }>(statementsFor(kind).count, [workspaceId]);
    sum += row?.count ?? 0;
  }
  return sum;
}

/** A name that several people have says of none who it is. */
const NAMES = `/* register.names-of-people */
SELECT p.id::text AS id, CASE WHEN n.count = 1 THEN p.name END AS name
FROM people p
JOIN (SELECT name, count(*) AS count FROM people WHERE workspace_id = $1 GROUP BY name) n
  ON n.name = p.name
WHERE p.workspace_id = $1 AND p.id = ANY ($2::uuid[])`;

type Row = Record<string, unknown>;

/** Words for people, asked for once each. */
class Names {
  private readonly known = new Map<string, string>();
  private readonly tx: Queryable;
  private readonly workspaceId: string;

  constructor(tx: Queryable, workspaceId: string) {
    this.tx = tx;
    this.workspaceId = workspaceId;
  }

  async learn(ids: readonly string[]): Promise<void> {
    const unknown = [...new Set(ids)].filter((id) => !this.known.has(id));
    if (unknown.length === 0) return;
    const rows = await this.tx.query<{ id: string; name: string | null }>(NAMES, [
      this.workspaceId,
      unknown,
    ]);
    for (const { id, name } of rows) this.known.set(id, nameOrId(id, name));
  }

  of(id: string): string {
    return this.known.get(id) ?? id;
  }
}

/** A name that may be taken for an id, or is not told from an empty place, is none to go by. */
const nameOrId = (id: string, name: string | null) =>
  name === null || /^[0-9a-f-]{36}$/i.test(name) ? id : name;

/** All entries of a kind, page by page, as files hold them; by code. */
async function* entriesOf(tx: Queryable, workspaceId: string, kind: Kind): AsyncGenerator<Row[]> {
  const { page } = statementsFor(kind);
  const fields = fieldsOf(kind);
  const people = fields.filter(({ type }) => type === "person").map(({ name }) => name);
  const names = new Names(tx, workspaceId);
  let after = FIRST;
  for (;;) {
    const place = withinOf(kind) === undefined ? [] : [after.within];
    const rows = await tx.query<Row>(page, [workspaceId, after.code, PAGE, ...place]);
    await names.learn(
      rows.flatMap((row) =>
        people.flatMap((name) => (row[name] === null ? [] : String(row[name]))),
      ),
    );
    yield rows.map((row) =>
      Object.fromEntries(fields.map((field) => [field.name, shown(field, row[field.name], names)])),
    );
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    after = { code: String(last.code), within: String(last["#within"]) };
  }
}

function shown(field: Field, value: unknown, names: Names): unknown {
  const text = (pair: unknown) => {
    const [within, code] = pair as [string | null, string];
    return referenceText({ within, code } satisfies Reference);
  };
  if (field.type === "entries") return ((value ?? []) as unknown[]).map(text);
  if (value === null) return null;
  if (field.type === "entry") return text(value);
  if (field.type === "person") return names.of(String(value));
  return field.type === "scale" ? Number(value) : value;
}

/** A file's text, page by page. `kinds`: several of them in JSON alone. */
export async function* fileText(
  tx: Queryable,
  workspaceId: string,
  { kinds, isAll, format }: { kinds: readonly Kind[]; isAll: boolean; format: FileFormat },
): AsyncGenerator<string> {
  if (isAll) yield "{\n";
  for (const [n, kind] of kinds.entries()) {
    if (isAll) yield `${n === 0 ? "" : ",\n"}${JSON.stringify(kind.plural)}: `;
    yield format === "csv" ? csvLine(fieldsOf(kind).map(({ name }) => name)) : "[";
    let separator = "\n";
    for await (const entries of entriesOf(tx, workspaceId, kind)) {
      if (entries.length === 0) continue;
      if (format === "csv") {
        yield entries.map(csvEntry).join("");
      } else {
        yield separator + entries.map((entry) => JSON.stringify(entry)).join(",\n");
        separator = ",\n";
      }
    }
    if (format === "json") yield "\n]";
  }
  if (isAll) yield "\n}";
  if (format === "json") yield "\n";
}

const csvEntry = (entry: Row) =>
  csvLine(
    Object.values(entry).map((value) =>
      guarded(Array.isArray(value) ? listCell(value) : value === null ? "" : String(value)),
    ),
  );
