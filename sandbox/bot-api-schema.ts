import { readFileSync } from "node:fs";
import { badRequest } from "./errors.ts";

/** The Bot API as data: every method with its parameters, every type with its fields. */
interface Field {
  required: boolean;
  types: string[];
}
interface Schema {
  version: string;
  methods: Record<string, { params: Record<string, Field>; returns: string[] }>;
  types: Record<string, { fields: Record<string, Field>; subtypes?: string[] }>;
}

/** A built copy of this file (under dist/) finds the data where the sources are. */
function loadSchema(): Schema {
  for (const place of ["./bot-api.json", "../../sandbox/bot-api.json"]) {
    try {
      return JSON.parse(readFileSync(new URL(place, import.meta.url), "utf8")) as Schema;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  throw new Error("sandbox: bot-api.json is missing beside bot-api-schema.ts");
}

const schema = loadSchema();
const methodNames = new Map(Object.keys(schema.methods).map((name) => [name.toLowerCase(), name]));

/** A file that came with the call as a multipart part. */
export interface UploadedFile {
  fileName: string;
  contentType: string;
  content: Uint8Array;
}

/** Parameters as they came, and the files beside them by part name. */
export interface RawCall {
  params: Record<string, unknown>;
  files: Map<string, UploadedFile>;
}

/** The method's name in its own spelling; Telegram takes any case. Undefined when there is none. */
export function methodNamed(name: string): string | undefined {
  return methodNames.get(name.toLowerCase());
}

/** Whether updates of this kind exist (Bot API: Update). */
export function isUpdateKind(name: string): boolean {
  return name !== "update_id" && schema.types.Update?.fields[name] !== undefined;
}

/** Words that Telegram has for a parameter that is missing; others get a plain sentence. */
const missingWords: Record<string, string> = {
  chat_id: "chat_id is empty",
  text: "message text is empty",
  from_chat_id: "from_chat_id is empty",
  message_id: "message identifier is not specified",
  callback_query_id: "query is too old and response timeout expired or query ID is invalid",
  file_id: "invalid file_id",
  photo: "there is no photo in the request",
  document: "there is no document in the request",
};

/**
 * Checks a call against the Bot API and gives its parameters as typed values: numbers, booleans and
 * JSON come as strings in forms and query strings, and Telegram takes them so in JSON bodies too.
 *
 * @throws BotApiRefusal 400 naming the parameter
 */
export function checkParameters(
  method: string,
  raw: RawCall,
): { params: Record<string, unknown>; unknownParams: string[] } {
  const known = schema.methods[method]?.params ?? {};
  const params: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(known)) {
    const value = raw.params[name] ?? (raw.files.has(name) ? `attach://${name}` : undefined);
    if (value === undefined || value === null || (value === "" && !allowsEmpty(name))) {
      if (field.required && !(name === "url" && method === "setWebhook"))
        throw badRequest(missingWords[name] ?? `parameter "${name}" is required`);
      continue;
    }
    params[name] = coerce(name, value, field.types);
  }
  const unknownParams = Object.keys(raw.params).filter((name) => !(name in known));
  return { params, unknownParams };
}

/** An empty string means something here: take the text away. */
function allowsEmpty(name: string): boolean {
  return ["name", "description", "short_description", "caption", "url"].includes(name);
}

function coerce(name: string, value: unknown, types: string[]): unknown {
  if (types.includes("Integer") || types.includes("Float")) {
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    const whole = types.includes("Float") || Number.isSafeInteger(number);
    if (typeof number === "number" && Number.isFinite(number) && whole) return number;
    if (!types.includes("String") || typeof value !== "string")
      throw badRequest(
        `parameter "${name}" must be ${types.includes("Float") ? "a number" : "an integer"}`,
      );
  }
  if (types.includes("Boolean")) return truth(name, value);
  if (types.includes("String")) {
    if (typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    throw badRequest(`parameter "${name}" must be a string`);
  }
  if (types.includes("InputFile")) {
    if (typeof value === "string") return value;
    throw badRequest(`parameter "${name}" must be a file`);
  }
  const parsed = typeof value === "string" ? parseJson(name, value) : value;
  checkAny(name, parsed, types);
  return parsed;
}

function truth(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  const word = String(value).trim().toLowerCase();
  if (["true", "yes", "1"].includes(word)) return true;
  if (["false", "no", "0", ""].includes(word)) return false;
  throw badRequest(`parameter "${name}" must be a boolean`);
}

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest(`can't parse ${words(name)} JSON object`);
  }
}

function words(name: string): string {
  return name.replaceAll("_", " ");
}

/** Passes when one of the types fits; otherwise the complaint of the nearest one. */
function checkAny(path: string, value: unknown, types: readonly string[]): void {
  const problems = types.map((type) => problemWith(path, value, type, 0));
  if (problems.some((problem) => problem === undefined)) return;
  const nearest = problems.reduce((a, b) => ((b?.depth ?? 0) > (a?.depth ?? 0) ? b : a));
  throw badRequest(nearest?.message ?? `parameter "${path}" has a wrong type`);
}

interface Problem {
  message: string;
  /** How far into the value it lies: the deepest complaint is about the type that was meant. */
  depth: number;
}

function problemWith(
  path: string,
  value: unknown,
  type: string,
  depth: number,
): Problem | undefined {
  if (depth > 32) return { message: `can't parse ${words(path)}: nested too deeply`, depth };
  if (type.startsWith("Array of ")) {
    if (!Array.isArray(value))
      return { message: `can't parse ${words(path)}: expected an Array`, depth };
    const of = type.slice("Array of ".length);
    for (const item of value) {
      const problem = problemWith(path, item, of, depth + 1);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
  switch (type) {
    case "String":
    case "InputFile":
      return typeof value === "string" || typeof value === "number"
        ? undefined
        : wrongType(path, "String", depth);
    case "Integer":
      return Number.isSafeInteger(typeof value === "string" ? Number(value) : value)
        ? undefined
        : wrongType(path, "Number", depth);
    case "Float":
      return Number.isFinite(typeof value === "string" ? Number(value) : value)
        ? undefined
        : wrongType(path, "Number", depth);
    case "Boolean":
      return typeof value === "boolean" ? undefined : wrongType(path, "Boolean", depth);
    default:
      return objectProblem(path, value, type, depth);
  }
}

function wrongType(path: string, type: string, depth: number): Problem {
  return { message: `can't parse ${words(path)}: it must be of type ${type}`, depth };
}

function objectProblem(
  path: string,
  value: unknown,
  type: string,
  depth: number,
): Problem | undefined {
  // Telegram takes a bare string for a keyboard button.
  if (type === "KeyboardButton" && typeof value === "string") return undefined;
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { message: `object expected as ${words(path)}`, depth };
  const definition = schema.types[type];
  if (definition === undefined) return undefined;
  if (definition.subtypes !== undefined) {
    let nearest: Problem | undefined;
    for (const subtype of definition.subtypes) {
      const problem = objectProblem(path, value, subtype, depth);
      if (problem === undefined) return undefined;
      if (nearest === undefined || problem.depth > nearest.depth) nearest = problem;
    }
    return nearest;
  }
  const object = value as Record<string, unknown>;
  for (const [name, field] of Object.entries(definition.fields)) {
    const inner = object[name];
    if (inner === undefined || inner === null) {
      if (field.required)
        return {
          message: `can't parse ${words(path)}: can't find field "${name}"`,
          depth,
        };
      continue;
    }
    const problems = field.types.map((each) =>
      problemWith(`${path} field "${name}"`, inner, each, depth + 1),
    );
    if (!problems.some((problem) => problem === undefined)) return problems[0];
  }
  return undefined;
}
