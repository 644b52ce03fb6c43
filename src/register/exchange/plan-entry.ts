import { type Kind, kindNamed } from "../kinds.ts";
import type { Directory, Found } from "./directory.ts";
import {
  defaultOf,
  type EntriesField,
  entriesFieldsOf,
  IN_ORDER,
  type OwnField,
  ownFieldsOf,
  TOGETHER,
} from "./fields.ts";
import type { ProblemList } from "./problems.ts";
import type { FileEntry } from "./read-file.ts";

/** An entry as it is now. */
export interface KnownEntry {
  id: string;
  /** By name of the field; people and other entries by id. */
  values: Record<string, string | null>;
  /** Ids of the entries that it is linked with, by name of the field. */
  links: Record<string, ReadonlySet<string>>;
}

/** An entry as it is to be written. */
export interface PlannedEntry {
  id: string;
  values: Record<string, string | null>;
  /** Links to make and to end, by name of the field. */
  added: Record<string, string[]>;
  removed: Record<string, string[]>;
}

export type Decision =
  | { what: "created" | "changed"; entry: PlannedEntry }
  | { what: "unchanged" }
  /** `problems` says why. */
  | { what: "refused" };

export interface PlanOptions {
  directory: Directory;
  /** An entry that is there already is a problem. */
  onlyNew: boolean;
  problems: ProblemList;
}

/**
 * What becomes of an entry of a file. `known`: it is there already; `id`: its own, there or planned.
 * Of one that is there only what the file says is changed.
 */
export function planEntry(
  kind: Kind,
  { entry, known, id }: { entry: FileEntry; known: KnownEntry | undefined; id: string },
  { directory, onlyNew, problems }: PlanOptions,
): Decision {
  let isRefused = entry.faulty.length > 0;
  const refuse = (column: string | null, message: string) => {
    isRefused = true;
    problems.add({ line: entry.line, column, message, code: entry.reference.code });
  };
  if (onlyNew && known !== undefined) refuse("code", "is there already");

  const values: PlannedEntry["values"] = {};
  let isChanged = false;
  for (const field of ownFieldsOf(kind)) {
    const { name } = field;
    const said = entry.values[name];
    const before = known?.values[name];
    if (said === undefined) {
      const isMissing = known === undefined && field.isRequired && !entry.faulty.includes(name);
      if (isMissing) refuse(name, "is needed for a new entry");
      values[name] = known === undefined ? defaultOf(kind, field) : (before ?? null);
      continue;
    }
    const found = ownValue(field, said, directory);
    if (typeof found === "object" && found !== null) refuse(name, found.fault);
    else {
      values[name] = found;
      isChanged ||= found !== before;
    }
  }
  for (const { column, message } of togetherFaults(kind, values, entry.faulty)) {
    refuse(column, message);
  }

  const added: PlannedEntry["added"] = {};
  const removed: PlannedEntry["removed"] = {};
  for (const field of entriesFieldsOf(kind)) {
    const said = entry.values[field.name];
    if (said === undefined || said === null || typeof said === "string") continue;
    const wanted = new Set<string>();
    for (const found of linkedEntries(field, said, directory)) {
      if ("fault" in found) refuse(field.name, found.fault);
      else wanted.add(found.id);
    }
    const before = known?.links[field.name] ?? new Set<string>();
    const toMake = [...wanted].filter((other) => !before.has(other));
    const toEnd = [...before].filter((other) => !wanted.has(other));
    added[field.name] = toMake;
    removed[field.name] = toEnd;
    isChanged ||= toMake.length + toEnd.length > 0;
  }

  if (isRefused) return { what: "refused" };
  if (known !== undefined && !isChanged) return { what: "unchanged" };
  return {
    what: known === undefined ? "created" : "changed",
    entry: { id, values, added, removed },
  };
}

/** What goes into the column; people and entries by id. */
function ownValue(
  field: OwnField,
  said: string | null | readonly string[],
  directory: Directory,
): string | null | { fault: string } {
  if (said === null) return null;
  if (typeof said !== "string") throw new Error(`${field.name} holds one value`);
  if (field.type !== "person" && field.type !== "entry") return said;
  const found =
    field.type === "person" ? directory.person(said) : directory.entry(kindNamed(field.of), said);
  return "id" in found ? found.id : found;
}

/** Each that is named; what is not found is told once. */
function linkedEntries(
  field: EntriesField,
  said: readonly string[],
  directory: Directory,
): Found[] {
  const kind = kindNamed(field.of);
  const faults = new Set<string>();
  return said
    .map((text) => directory.entry(kind, text))
    .filter((found) => {
      if ("id" in found) return true;
      const isFirst = !faults.has(found.fault);
      faults.add(found.fault);
      return isFirst;
    });
}

/** What fields say together, of an entry as it would be. */
function togetherFaults(
  kind: Kind,
  values: PlannedEntry["values"],
  faulty: readonly string[],
): { column: string; message: string }[] {
  const faults: { column: string; message: string }[] = [];
  const areRead = (...names: string[]) =>
    names.every((name) => !faulty.includes(name) && values[name] !== undefined);
  for (const [first, second] of TOGETHER[kind.name] ?? []) {
    if (!areRead(first, second) || (values[first] === null) === (values[second] === null)) continue;
    const [column, other] = values[first] === null ? [first, second] : [second, first];
    faults.push({ column, message: `is needed where ${other} is given` });
  }
  for (const [first, second] of IN_ORDER[kind.name] ?? []) {
    const [from, to] = [values[first], values[second]];
    if (!areRead(first, second) || typeof from !== "string" || typeof to !== "string") continue;
    if (to < from) faults.push({ column: second, message: `is before ${first}` });
  }
  return faults;
}
