import { type Field, KINDS, type Kind } from "../kinds.ts";
import { columnNamed, strangeColumn } from "./column-names.ts";
import { holdsNothing, readCsv } from "./csv.ts";
import { withinOf } from "./fields.ts";
import { NotUtf8, textOf } from "./file-text.ts";
import { unguarded } from "./formula-guard.ts";
import { jsonRecords } from "./json-records.ts";
import type { ProblemList } from "./problems.ts";
import { type FileValue, readValue } from "./read-value.ts";
import { type Reference, readListCell, referenceText } from "./references.ts";
import { inSlices } from "./slices.ts";

export const FILE_FORMATS = ["csv", "json"] as const;
export type FileFormat = (typeof FILE_FORMATS)[number];

/** One entry, as a file tells of it. */
export interface FileEntry {
  line: number;
  reference: Reference;
  /** By name, also those that `reference` is made of; a field is missing if nothing is said of it. */
  values: Record<string, FileValue | undefined>;
  /** Fields at which something is wrong already. */
  faulty: readonly string[];
}

export interface FileContent {
  /** In the order in which kinds stand on each other. */
  lists: { kind: Kind; entries: FileEntry[] }[];
  /** Of the file, whether they can be read or not. */
  rows: number;
}

export interface FileToRead {
  content: Uint8Array;
  format: FileFormat;
  /** `all`: of several kinds, which JSON alone can hold. */
  kind: Kind | "all";
}

/**
 * Of a file. Each is held in memory several times over until all are written, and a short one is a
 * hundred times its length: without a bound a file of 64 MB took 3 GB.
 */
export const MAX_ENTRIES = 250_000;

/** What comes after it is not read. */
class TooManyEntries extends Error {
  readonly line: number;

  constructor(line: number) {
    super(`the file has more than ${MAX_ENTRIES} entries: import it in parts`);
    this.line = line;
  }
}

/** Reads what can be read; all that cannot is in `problems`. Gives way to other work meanwhile. */
export async function readFile(file: FileToRead, problems: ProblemList): Promise<FileContent> {
  const lists = new EntryLists(problems);
  try {
    const text = textOf(file.content);
    if (file.format === "json") await readJsonFile(text, file.kind, lists);
    else if (file.kind !== "all") await readCsvFile(text, file.kind, lists);
    else throw new Error("CSV holds entries of one kind");
  } catch (error) {
    if (!(error instanceof NotUtf8 || error instanceof TooManyEntries)) throw error;
    problems.add({ line: error.line, column: null, message: error.message });
  }
  return lists.content();
}

async function readCsvFile(text: string, kind: Kind, lists: EntryLists): Promise<void> {
  let columns: Column[] | undefined;
  await inSlices(readCsv(text), (row) => {
    if (holdsNothing(row)) return;
    const { line, cells, fault } = row;
    if (columns === undefined) {
      columns = fault === undefined ? lists.header(kind, line, cells) : [];
      if (fault !== undefined) lists.problem(line, null, fault);
      return;
    }
    lists.count(line);
    if (columns.length === 0) return;
    const wrong = fault ?? wrongLength(cells, columns.length);
    if (wrong !== undefined) {
      lists.problem(line, null, wrong);
      return;
    }
    const given = columns.flatMap(({ field }, n): [Field, unknown][] => {
      if (field === undefined) return [];
      const cell = unguarded(cells[n] ?? "");
      return [[field, field.type === "entries" ? readListCell(cell) : cell]];
    });
    lists.add(kind, line, given);
  });
  if (columns === undefined) lists.problem(1, null, "the file is empty");
}

/** A spreadsheet may write cells for columns that hold nothing. */
function wrongLength(cells: readonly string[], columns: number): string | undefined {
  if (cells.length < columns) return `has ${cells.length} cells where ${columns} columns are named`;
  return cells.slice(columns).some((cell) => cell !== "")
    ? `has more cells than the ${columns} columns that are named`
    : undefined;
}

async function readJsonFile(text: string, kind: Kind | "all", lists: EntryLists): Promise<void> {
  await inSlices(jsonRecords(text), (piece) => {
    if ("fault" in piece) {
      lists.problem(piece.line, null, piece.fault);
      return;
    }
    const { line, list, json } = piece;
    lists.count(line);
    const of = kindOfList(kind, list);
    if (typeof of === "string") {
      lists.once(line, list, of);
      return;
    }
    let record: Record<string, unknown>;
    try {
      record = JSON.parse(json);
    } catch {
      lists.problem(line, null, "is not written as JSON");
      return;
    }
    const given: [Field, unknown][] = [];
    for (const [name, value] of Object.entries(record)) {
      const field = columnNamed(of, name);
      if (field === undefined) lists.strange(of, line, name);
      else given.push([field, value]);
    }
    lists.add(of, line, given);
  });
}

/** Whose entries a list holds, or what is wrong with it. */
function kindOfList(asked: Kind | "all", list: string | null): Kind | string {
  if (list === null) return asked === "all" ? "a list stands under the name of its kind" : asked;
  const kind = KINDS.find(({ plural }) => plural === list);
  if (kind === undefined) return "there is no such kind of entry";
  return asked === "all" || asked === kind ? kind : "another kind of entry: import kind=all";
}

/** Of a CSV file; a field undefined: nobody knows it, and it was told. */
interface Column {
  field: Field | undefined;
}

/** Columns that nobody knows are told to be so; of the first the nearest known one is named. */
const MAX_EXPLAINED = 100;
const MAX_COLUMN_NAME = 60;

/** What has been read so far. */
class EntryLists {
  rows = 0;
  private readonly problems: ProblemList;
  private readonly entries = new Map<Kind, FileEntry[]>();
  /** The line of each, by kind and reference. */
  private readonly lines = new Map<Kind, Map<string, number>>();
  private readonly told = new Set<string>();
  private readonly strangeNames = new Set<string>();

  constructor(problems: ProblemList) {
    this.problems = problems;
  }

  content(): FileContent {
    const lists = KINDS.map((kind) => ({ kind, entries: this.entries.get(kind) ?? [] }));
    return { lists: lists.filter(({ entries }) => entries.length > 0), rows: this.rows };
  }

  /** One more entry, whether it can be read or not. Throws `TooManyEntries`. */
  count(line: number): void {
    if (this.rows === MAX_ENTRIES) throw new TooManyEntries(line);
    this.rows++;
  }

  problem(line: number, column: string | null, message: string, code?: string): void {
    this.problems.add({ line, column, message, code });
  }

  /** For what is wrong with every entry in the same way. */
  once(line: number, column: string | null, message: string): void {
    const key = JSON.stringify([column, message]);
    if (this.told.has(key)) return;
    this.told.add(key);
    this.problem(line, column?.slice(0, MAX_COLUMN_NAME) ?? null, message);
  }

  /** A column that the kind has not; in JSON each entry may have others. */
  strange(kind: Kind, line: number, name: string): void {
    const key = `${kind.name} ${name}`;
    if (this.strangeNames.has(key)) return;
    this.strangeNames.add(key);
    // To look for the nearest takes time, and nobody reads on for ever.
    const isFew = this.strangeNames.size <= MAX_EXPLAINED;
    const message = isFew ? strangeColumn(kind, name) : "there is no such column";
    this.problem(line, name.slice(0, MAX_COLUMN_NAME), message);
  }

  /** The columns of a first row; none: nothing below can be read. */
  header(kind: Kind, line: number, cells: readonly string[]): Column[] {
    const names = cells.map((cell) => cell.trim());
    while (names.at(-1) === "") names.pop();
    const columns = names.map((name) => ({ field: columnNamed(kind, name) }));
    const fields = columns.flatMap(({ field }) => field ?? []);
    const within = withinOf(kind);
    const needed = ["code", ...(within === undefined ? [] : [within.name])];
    const missing = needed.filter((name) => !fields.some((field) => field.name === name));
    if (missing.length > 0) {
      const message = `the first line names the columns, and ${missing.join(" and ")} must be among them`;
      this.problem(line, null, message);
      return [];
    }
    names.forEach((name, n) => {
      const { field } = columns[n] ?? {};
      if (field === undefined) this.strange(kind, line, name);
      else if (fields.indexOf(field) !== fields.lastIndexOf(field)) {
        this.once(line, field.name, "is there more than once");
      }
    });
    return columns;
  }

  /** Checks what is said of an entry, each value by itself. */
  add(kind: Kind, line: number, given: readonly [Field, unknown][]): void {
    const values: FileEntry["values"] = {};
    const faults: [string, string][] = [];
    for (const [field, raw] of given) {
      const reading = readValue(kind, field, raw);
      if (reading === "kept") continue;
      if ("fault" in reading) faults.push([field.name, reading.fault]);
      else values[field.name] = reading.value;
    }
    const { code } = values;
    const within = withinOf(kind);
    const owner = within === undefined ? null : values[within.name];
    for (const name of ["code", ...(within === undefined ? [] : [within.name])]) {
      const isSaid = values[name] !== undefined || faults.some(([faulty]) => faulty === name);
      if (!isSaid) faults.push([name, "is needed"]);
    }
    const known = typeof code === "string" ? code : undefined;
    for (const [column, message] of faults) this.problem(line, column, message, known);
    if (known === undefined || (owner !== null && typeof owner !== "string")) return;
    const reference = { within: owner, code: known };
    if (this.isRepeated(kind, line, reference)) return;
    const entries = this.entries.get(kind) ?? [];
    this.entries.set(kind, entries);
    entries.push({ line, reference, values, faulty: faults.map(([name]) => name) });
  }

  private isRepeated(kind: Kind, line: number, reference: Reference): boolean {
    const lines = this.lines.get(kind) ?? new Map<string, number>();
    this.lines.set(kind, lines);
    const key = referenceText(reference);
    const first = lines.get(key);
    if (first === undefined) {
      lines.set(key, line);
      return false;
    }
    this.problem(line, "code", `is in line ${first}, too`, reference.code);
    return true;
  }
}
