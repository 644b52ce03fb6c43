import type { Field, Kind } from "../kinds.ts";
import { lineFault } from "../line-fault.ts";
import { isEntries, whenEmpty } from "./fields.ts";

/** What a file says of a field: null is no value; people and other entries are as they are written. */
export type FileValue = string | null | readonly string[];

/** `kept`: nothing is said, and the value stays as it is. */
export type Reading = { value: FileValue } | { fault: string } | "kept";

/** Neither can Postgres store it nor JSON carry it. */
const UNSTORABLE = /[\0\p{Surrogate}]/u;
const DATE = /^\d{4}-\d\d-\d\d$/;
/** No code and no name is as long. */
const MAX_REFERENCE_LENGTH = 1_000;

/**
 * Reads a cell of CSV, or a value of JSON, as what a field of a kind holds. A fault is told in words
 * without the value.
 */
export function readValue(kind: Kind, field: Field, raw: unknown): Reading {
  if (isEntries(field)) return readEntries(raw);
  if (raw === null || raw === "") return readEmpty(kind, field);
  if (field.type === "scale") return readScale(raw);
  if (typeof raw !== "string") return { fault: "is a text, in quotation marks" };
  if (UNSTORABLE.test(raw)) return { fault: "has NUL or half of a character in it" };
  switch (field.type) {
    case "text":
      return readText(field.name, field.maxLength, raw);
    case "choice":
      return readChoice(field.values, raw);
    case "date":
      return isDate(raw) ? { value: raw } : { fault: "is a date like 2026-11-30" };
    case "person":
    case "entry":
      return raw.length <= MAX_REFERENCE_LENGTH
        ? { value: raw }
        : { fault: "is longer than any code or name" };
  }
}

function readEmpty(kind: Kind, field: Field): Reading {
  switch (whenEmpty(kind, field)) {
    case "null":
      return { value: null };
    case "text":
      return { value: "" };
    case "kept":
      return "kept";
    case "refused":
      return { fault: "is empty" };
  }
}

function readText(name: string, maxLength: number, text: string): Reading {
  // Characters, as Postgres counts them; in UTF-16 some of them are two.
  const isTooLong =
    text.length > maxLength && (text.length > 2 * maxLength || [...text].length > maxLength);
  if (isTooLong) return { fault: `has more than ${maxLength} characters` };
  // It would be another entry's code, and look the same.
  if (name === "code" && text.trim() !== text) return { fault: "begins or ends with a space" };
  const fault = name === "code" || name === "title" ? lineFault(name, text) : undefined;
  if (fault !== undefined) return { fault };
  return { value: text };
}

/** As it is called, or as a person may have written it: In progress, in-progress. */
function readChoice(values: readonly string[], text: string): Reading {
  const word = text
    .trim()
    .toLowerCase()
    .replaceAll(/[\s-]+/g, "_");
  return values.includes(word) ? { value: word } : { fault: `is one of ${values.join(", ")}` };
}

function readScale(raw: unknown): Reading {
  const text = typeof raw === "number" ? String(raw) : raw;
  return typeof text === "string" && /^[1-5]$/.test(text.trim())
    ? { value: text.trim() }
    : { fault: "is a number from 1 to 5" };
}

function readEntries(raw: unknown): Reading {
  if (raw === null) return { value: [] };
  const isList = Array.isArray(raw) && raw.every((one) => typeof one === "string");
  if (!isList) return { fault: "is a list of codes" };
  if (raw.some((one) => one.length > MAX_REFERENCE_LENGTH)) {
    return { fault: "holds one that is longer than any code" };
  }
  if (raw.some((one) => UNSTORABLE.test(one))) {
    return { fault: "has NUL or half of a character in it" };
  }
  return { value: [...new Set<string>(raw)] };
}

function isDate(text: string): boolean {
  if (!DATE.test(text) || text.startsWith("0000")) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}
