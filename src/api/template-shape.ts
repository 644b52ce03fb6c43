import { z } from "zod";
import { Problem } from "../platform/index.ts";
import {
  MAX_BODY,
  MAX_STRING,
  MAX_VARIABLES,
  TemplateError,
  VARIABLE_NAME,
} from "../templates/index.ts";
import { text } from "./route.ts";

/** The most versions that a template's number can tell apart in a request. */
const MAX_VERSION = 1_000_000_000;
const MAX_ENUM = 50;

const name = z
  .string()
  .regex(VARIABLE_NAME, "has 1 to 64 of a-z, 0-9 and _, and begins with a letter");
const timeZone = z.string().max(64).describe("an IANA time zone like Europe/Berlin");
export const templateVersion = z.number().int().nonnegative().max(MAX_VERSION);

const declared = {
  description: text().max(500).optional(),
  required: z.boolean().optional().describe("default: true, unless there is a default"),
};

const variable = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("string"),
    ...declared,
    default: text().optional(),
    maxLength: z.number().int().min(1).max(MAX_STRING).optional(),
  }),
  z.strictObject({
    type: z.enum(["number", "integer"]),
    ...declared,
    default: z.number().optional(),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
  }),
  z.strictObject({
    type: z.enum(["date", "datetime", "url", "severity"]),
    ...declared,
    default: text().optional(),
  }),
  z.strictObject({
    type: z.literal("enum"),
    ...declared,
    values: z.array(text().trim().min(1).max(200)).min(1).max(MAX_ENUM),
    default: text().optional(),
  }),
  z.strictObject({ type: z.literal("boolean"), ...declared, default: z.boolean().optional() }),
]);

const VARIABLE_NAMES = {
  error: ({ code }: { code?: string }) =>
    code === "invalid_key"
      ? "the name of a variable has small letters, digits and _, as in due_date"
      : undefined,
};

/** A template as it is saved. */
export const newTemplate = z.strictObject({
  name,
  description: text().max(500).optional(),
  format: z.enum(["html", "markdown"]).default("html"),
  body: text()
    .min(1)
    .max(MAX_BODY)
    .describe("{{name}} is a value, {{#name}}…{{/name}} is there when the variable is"),
  variables: z.record(name, variable, VARIABLE_NAMES).default({}),
  linkPreview: z.boolean().optional(),
  timeZone: timeZone.optional().describe("of times; default: the workspace's"),
});

/** What fills a template in. */
export const filling = {
  version: templateVersion.optional().describe("default: the newest; 0: the built-in one"),
  variables: z
    .record(name, z.unknown(), VARIABLE_NAMES)
    .default({})
    .refine((values) => Object.keys(values).length <= MAX_VARIABLES, "are too many"),
  timeZone: timeZone.optional(),
};

/** A template in the place of a text. */
export const templateUse = z.strictObject({ name, ...filling });

export const entitySchema = z.looseObject({
  type: z.string(),
  offset: z.number(),
  length: z.number(),
});

const DETAIL = "The template cannot be used like this.";

export const noTemplate = () =>
  new Problem(404, "Not found", "This workspace has no such template, or no such version of it.");

/** `place`: where in the body it is that has the faults, e.g. `template.`. */
export async function orTemplateProblem<Result>(
  work: Promise<Result>,
  place = "",
): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    const errors = error.faults.map(({ path, message }) => ({ path: place + path, message }));
    throw new Problem(400, "Invalid request", DETAIL, { errors });
  }
}
