import { z } from "zod";
import {
  type EntryValues,
  type EntryView,
  entryFilters,
  type Field,
  type Kind,
  lineFault,
  type NewEntry,
  RISK_LEVELS,
} from "../register/index.ts";
import { pageQuery, text, uuid } from "./route.ts";

/** Links of one entry to others, by one field. */
const MAX_LINKS = 200;
/** Of a column of type integer. */
const MAX_VERSION = 2_147_483_647;
export const entryVersion = z
  .number()
  .int()
  .min(1)
  .max(MAX_VERSION)
  .optional()
  .describe("only if it is still the one that was read; else 409");

const line = (field: "code" | "title", max: number) =>
  text()
    .trim()
    .min(1)
    .max(max)
    .superRefine((value, context) => {
      const message = lineFault(field, value);
      if (message !== undefined) context.addIssue({ code: "custom", message });
    });
const codeText = line("code", 60);
const COMMON = {
  code: codeText,
  title: line("title", 300),
  description: text().max(10_000),
};

/** A value of the field that is not null. */
function valueShape(field: Field): z.ZodType {
  switch (field.type) {
    case "text":
      return text()
        .max(field.maxLength)
        .min(field.default === "" ? 0 : 1);
    case "choice":
      return z.enum([...field.values]);
    case "scale":
      return z.number().int().min(1).max(5);
    case "date":
      return z.iso.date();
    case "person":
      return uuid.describe("a person, by id");
    case "entry":
      return uuid.describe(`a ${field.of}, by id`);
    case "entries":
      return z.array(uuid).max(MAX_LINKS).describe("by their ids");
  }
}

/** What has a default is never without a value, nor is what an entry cannot be made without. */
const isNullable = (field: Field): boolean =>
  field.type !== "entries" &&
  field.isRequired === undefined &&
  !("default" in field && field.default !== undefined);

const given = (field: Field): z.ZodType =>
  isNullable(field) ? valueShape(field).nullable() : valueShape(field);

const shapesOf = (fields: readonly Field[], make: (field: Field) => z.ZodType) =>
  Object.fromEntries(fields.map((field) => [field.name, make(field)]));

const begins = (field: Field): z.ZodType => {
  if (field.isRequired) return valueShape(field);
  if ("default" in field && field.default !== undefined)
    return valueShape(field).default(field.default);
  return given(field).optional();
};

/** What a new entry of the kind is made of. */
export const newEntry = ({ fields }: Kind) =>
  z.strictObject({
    ...COMMON,
    description: COMMON.description.default(""),
    ...shapesOf(fields, begins),
  }) as unknown as z.ZodType<NewEntry>;

/** What may change of one. */
export const entryChange = ({ fields }: Kind) =>
  z.strictObject({
    code: COMMON.code.optional(),
    title: COMMON.title.optional(),
    description: COMMON.description.optional(),
    ...shapesOf(fields, (field) => given(field).optional()),
    version: entryVersion,
  }) as unknown as z.ZodType<EntryValues & { version?: number }>;

/** As it is answered. */
export const entrySchema = ({ name, fields }: Kind) =>
  z.object({
    id: z.string(),
    code: z.string(),
    title: z.string(),
    description: z.string(),
    ...shapesOf(fields, given),
    ...(name === "risk"
      ? {
          score: z.number().nullable().describe("likelihood times impact: residual, else inherent"),
          level: z.enum(RISK_LEVELS).nullable().describe("null: nobody has assessed it"),
        }
      : {}),
    version: z.number().describe("one more with every change"),
    createdAt: z.string(),
    updatedAt: z.string(),
  }) as unknown as z.ZodType<EntryView>;

const FILTER_VALUES = {
  text: () => codeText,
  id: () => uuid,
  date: () => z.iso.date(),
  choice: (values: readonly string[]) => z.enum([...values]),
};

export interface EntryQuery {
  limit: number;
  cursor?: string;
  /** By name, as `entryFilters` has them. */
  filter: Record<string, string | undefined>;
}

/** What a list of the kind is asked by. */
export const entryQuery = (kind: Kind) => {
  const filters = entryFilters(kind).map(({ name, type, values = [] }): [string, z.ZodType] => [
    name,
    FILTER_VALUES[type](values).optional(),
  ]);
  return z
    .strictObject({ ...pageQuery, ...Object.fromEntries(filters) })
    .transform(({ limit, cursor, ...filter }) => ({
      limit,
      cursor,
      filter,
    })) as unknown as z.ZodType<EntryQuery>;
};
