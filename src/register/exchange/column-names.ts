import { nearestWord } from "../../platform/index.ts";
import type { Field, Kind } from "../kinds.ts";
import { fieldsOf } from "./fields.ts";

/** `Due on`, `due_on` and `dueOn` are the same column. */
const plain = (name: string) => name.toLowerCase().replaceAll(/[\s_-]/g, "");

const byKind = new Map<Kind, Map<string, Field>>();

function namesOf(kind: Kind): Map<string, Field> {
  const known = byKind.get(kind);
  if (known !== undefined) return known;
  const names = new Map(fieldsOf(kind).map((field) => [plain(field.name), field]));
  byKind.set(kind, names);
  return names;
}

/** The field that a column of a file holds. Undefined: the kind has none of that name. */
export const columnNamed = (kind: Kind, name: string): Field | undefined =>
  namesOf(kind).get(plain(name));

/** What to say of a column that the kind has not. */
export function strangeColumn(kind: Kind, name: string): string {
  if (name === "") return "a column has no name";
  const names = namesOf(kind);
  const near = names.get(nearestWord(plain(name), [...names.keys()]) ?? "");
  const known = [...names.values()].map((field) => field.name).join(", ");
  return near === undefined
    ? `there is no such column; there are ${known}`
    : `there is no such column; is it ${near.name}?`;
}
