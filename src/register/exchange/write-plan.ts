import { Problem, type Queryable } from "../../platform/index.ts";
import type { Kind } from "../kinds.ts";
import { entriesFieldsOf, type OwnField, ownFieldsOf } from "./fields.ts";
import type { PlannedEntry } from "./plan-entry.ts";
import { batchesOf } from "./slices.ts";
import { changedFieldsOf, type LinkStatements, statementsFor } from "./statements.ts";

/** What becomes of the entries of one kind. */
export interface KindPlan {
  kind: Kind;
  created: PlannedEntry[];
  changed: PlannedEntry[];
  unchanged: number;
}

/** In one statement. */
const BATCH = 2_000;

/** Writes a plan. Throws `Problem` 409 when somebody else made one of the entries meanwhile. */
export async function writePlan(
  on: Queryable,
  workspaceId: string,
  { kind, created, changed }: KindPlan,
): Promise<void> {
  const statements = statementsFor(kind);
  for (const batch of batchesOf(created, BATCH)) {
    const params = [workspaceId, ...columnsOf(batch, ownFieldsOf(kind))];
    const [made] = await on.query<{ count: number }>(statements.create, params);
    if (made?.count !== batch.length) throw changedMeanwhile();
  }
  for (const batch of batchesOf(changed, BATCH)) {
    await on.query(statements.change, [workspaceId, ...columnsOf(batch, changedFieldsOf(kind))]);
  }
  for (const { name } of entriesFieldsOf(kind)) {
    const links = statements.links.get(name);
    if (links === undefined) continue;
    await writeLinks(on, workspaceId, links, name, [...created, ...changed]);
  }
}

export const changedMeanwhile = () =>
  new Problem(
    409,
    "Changed meanwhile",
    "Somebody else changed what this file is about at the same time; nothing was imported. Import it again.",
  );

/** A list of ids, and one for each field. */
const columnsOf = (entries: readonly PlannedEntry[], fields: readonly OwnField[]) => [
  entries.map(({ id }) => id),
  ...fields.map(({ name }) => entries.map(({ values }) => values[name] ?? null)),
];

async function writeLinks(
  on: Queryable,
  workspaceId: string,
  statements: LinkStatements,
  name: string,
  entries: readonly PlannedEntry[],
): Promise<void> {
  for (const [what, statement] of [
    ["removed", statements.end],
    ["added", statements.make],
  ] as const) {
    const pairs = entries.flatMap((entry) =>
      (entry[what][name] ?? []).map((other) => [entry.id, other] as const),
    );
    for (const batch of batchesOf(pairs, BATCH)) {
      const [owns, others] = [batch.map(([own]) => own), batch.map(([, other]) => other)];
      await on.query(statement, [workspaceId, owns, others]);
    }
  }
}
