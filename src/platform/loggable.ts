import { sqlState } from "./database.ts";
import { SECRET_NAMES } from "./scrub.ts";

/**
 * Makes of anything what may be written to a log: plain, finite, without what is known to be secret
 * or somebody's words. Errors keep what helps (message, code, stack, cause) and lose the rest,
 * because drivers hang requests, rows and parameters on them.
 */

const MAX_DEPTH = 8;
const MAX_ITEMS = 100;
const MAX_TEXT = 8_000;

/** Properties of errors that are worth keeping, and that are never content. */
const ERROR_PROPERTIES = [
  "code",
  "errno",
  "syscall",
  "address",
  "port",
  "hostname",
  "status",
  "statusCode",
  "title",
  // Postgres: which thing, never which value (`detail` and `where` quote rows)
  "severity",
  "schema",
  "table",
  "column",
  "constraint",
  "routine",
  "position",
] as const;

/** A plain copy of `fields`. */
export function loggable(fields: object): Record<string, unknown> {
  if (fields instanceof Error) return { err: plain(fields, new Set(), 0) };
  return plain(fields, new Set(), 0) as Record<string, unknown>;
}

function plain(value: unknown, above: Set<object>, depth: number): unknown {
  switch (typeof value) {
    case "string":
      return cut(value);
    case "bigint":
      return String(value);
    case "function":
    case "symbol":
      return undefined;
    case "object":
      break;
    default:
      return value;
  }
  if (value === null) return null;
  if (above.has(value)) return "[circular]";
  if (depth >= MAX_DEPTH) return "[deep]";
  above.add(value);
  try {
    return plainObject(value, above, depth + 1);
  } finally {
    above.delete(value);
  }
}

function plainObject(value: object, above: Set<object>, depth: number): unknown {
  if (value instanceof Error) return plainError(value, above, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof URL) return value.href;
  if (value instanceof Set) return plainList([...value], above, depth);
  if (value instanceof Map) return plainEntries([...value], above, depth);
  if (Array.isArray(value)) return plainList(value, above, depth);
  return plainEntries(Object.entries(value), above, depth);
}

function plainList(items: unknown[], above: Set<object>, depth: number): unknown[] {
  const list = items.slice(0, MAX_ITEMS).map((item) => plain(item, above, depth));
  if (items.length > MAX_ITEMS) list.push(`[${items.length - MAX_ITEMS} more]`);
  return list;
}

function plainEntries(entries: Array<[unknown, unknown]>, above: Set<object>, depth: number) {
  const result: Record<string, unknown> = {};
  for (const [name, value] of entries.slice(0, MAX_ITEMS)) {
    const key = String(name);
    const isSecret = SECRET_NAMES.test(key) && value !== null && value !== undefined;
    result[key] =
      isSecret && typeof value !== "boolean" ? "[redacted]" : plain(value, above, depth);
  }
  return result;
}

function plainError(error: Error, above: Set<object>, depth: number): Record<string, unknown> {
  const result: Record<string, unknown> = {
    type: error.name,
    message: cut(withoutQuotes(error)),
  };
  for (const name of ERROR_PROPERTIES) {
    const value = (error as unknown as Record<string, unknown>)[name];
    if (typeof value === "string" || typeof value === "number") result[name] = value;
  }
  if (typeof error.stack === "string") result.stack = cut(withoutQuotes(error, error.stack));
  if (error instanceof AggregateError) result.errors = plainList(error.errors, above, depth);
  if (error.cause !== undefined) result.cause = plain(error.cause, above, depth);
  return result;
}

/**
 * Messages that quote what they were given: Postgres on data it cannot take (class 22: `invalid
 * input syntax for type bigint: "…"`), and JSON.parse, which shows the start of the text.
 */
export function withoutQuotes(error: Error, text = error.message): string {
  if (sqlState(error)?.startsWith("22")) return text.replace(/: ".*"/gs, ': "[redacted]"');
  if (error instanceof SyntaxError || error.name === "SyntaxError") {
    return text.replace(
      /Unexpected (token|string|number).*? is not valid JSON/gs,
      "Unexpected $1: not valid JSON",
    );
  }
  return text;
}

function cut(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}
