import { type Field, KINDS, type Kind } from "../kinds.ts";

/** The fields that every kind has, described like those that it has besides. */
const needed = { type: "text", isRequired: true, default: "" } as const;
const CODE = { ...needed, name: "code", column: "code", maxLength: 60 };
const TITLE = { ...needed, name: "title", column: "title", maxLength: 300 };
const DESCRIPTION = {
  type: "text",
  name: "description",
  column: "description",
  maxLength: 10_000,
  default: "",
} as const;

/** All fields of a kind, in the order in which files hold them. */
export const fieldsOf = (kind: Kind): Field[] => [CODE, TITLE, DESCRIPTION, ...kind.fields];

export type EntriesField = Extract<Field, { type: "entries" }>;
export type EntryField = Extract<Field, { type: "entry" }>;
/** One value, in a column of the kind's own table. */
export type OwnField = Exclude<Field, EntriesField>;

export const isEntries = (field: Field): field is EntriesField => field.type === "entries";
const isOwn = (field: Field): field is OwnField => !isEntries(field);

export const ownFieldsOf = (kind: Kind): OwnField[] => fieldsOf(kind).filter(isOwn);
export const entriesFieldsOf = (kind: Kind): EntriesField[] => kind.fields.filter(isEntries);

/** The field inside whose entry the kind's codes mean something; undefined: they do by themselves. */
export function withinOf(kind: Kind): EntryField | undefined {
  if (kind.codeWithin === undefined) return undefined;
  const within = kind.fields.find(({ name }) => name === kind.codeWithin);
  if (within?.type !== "entry") throw new Error(`${kind.name}: codeWithin names an entry`);
  return within;
}

/** What an entry begins with where a file says nothing: the table's own defaults, which a test compares. */
export function defaultOf(kind: Kind, field: OwnField): string | null {
  if (field.type === "choice" && field.name === "status") return field.values[0] ?? null;
  if (field.type !== "text" || field.isRequired) return null;
  return kind.name === "audit" && field.name === "type" ? "internal" : "";
}

/**
 * What an empty place means: no value, an empty text, that the value stays as it is (one that always
 * has some), or nothing at all, where one is needed.
 */
export function whenEmpty(kind: Kind, field: Field): "null" | "text" | "kept" | "refused" {
  if (isEntries(field)) return "null";
  if (field.isRequired) return "refused";
  const value = defaultOf(kind, field);
  if (value === null) return "null";
  return value === "" ? "text" : "kept";
}

/** Columns of which either both have a value or none has. */
export const TOGETHER: Partial<Record<Kind["name"], readonly (readonly [string, string])[]>> = {
  risk: [
    ["inherentLikelihood", "inherentImpact"],
    ["residualLikelihood", "residualImpact"],
  ],
};

/** Dates of which the second is not before the first. */
export const IN_ORDER: Partial<Record<Kind["name"], readonly (readonly [string, string])[]>> = {
  audit: [["startsOn", "endsOn"]],
};

/** By the word for many, as calls and files name them. Undefined: there is no such kind. */
export const kindOfPlural = (plural: string): Kind | undefined =>
  KINDS.find((kind) => kind.plural === plural);
