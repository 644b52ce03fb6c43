import type { Queryable } from "../../platform/index.ts";
import { type Kind, type KindName, kindNamed } from "../kinds.ts";
import type { Directory } from "./directory.ts";
import { fieldsOf } from "./fields.ts";
import type { FileEntry } from "./read-file.ts";
import { readReference } from "./references.ts";
import { batchesOf, inSlices } from "./slices.ts";
import { statementsFor } from "./statements.ts";

/** In one statement. */
const BATCH = 5_000;

const PEOPLE = `/* register.people-named */
SELECT p.id::text AS id, p.name FROM people p
WHERE p.workspace_id = $1 AND (p.name = ANY ($2::text[]) OR p.id::text = ANY ($2::text[]))`;

/** Adds to the directory whom and what these entries name, as far as the workspace has them. */
export async function loadNamed(
  on: Queryable,
  workspaceId: string,
  kind: Kind,
  entries: readonly FileEntry[],
  directory: Directory,
): Promise<void> {
  const people = new Set<string>();
  const codes = new Map<KindName, Set<string>>();
  const fields = fieldsOf(kind);
  await inSlices(entries, ({ values }) => {
    for (const field of fields) {
      const said = values[field.name];
      if (said === undefined || said === null) continue;
      if (field.type === "person" && typeof said === "string") people.add(said);
      if (field.type !== "entry" && field.type !== "entries") continue;
      const named = codes.get(field.of) ?? new Set<string>();
      codes.set(field.of, named);
      for (const text of typeof said === "string" ? [said] : said) {
        named.add(readReference(kindNamed(field.of), text).code);
      }
    }
  });
  for (const names of batchesOf([...people], BATCH)) {
    const found = await on.query<{ id: string; name: string }>(PEOPLE, [workspaceId, names]);
    for (const person of found) directory.addPerson(person);
  }
  for (const [name, named] of codes) {
    const of = kindNamed(name);
    for (const batch of batchesOf([...named], BATCH)) {
      const found = await on.query<{ id: string; code: string; within: string | null }>(
        statementsFor(of).references,
        [workspaceId, batch],
      );
      for (const { id, code, within } of found) directory.addEntry(of, { within, code }, id);
    }
  }
}
