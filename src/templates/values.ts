import { dateText, datetimeText } from "./dates.ts";
import { SEVERITIES, SEVERITY_MARKS, SEVERITY_WORDS } from "./severity.ts";
import type { Variable } from "./variables.ts";

/** A value as it is put into a text: literally. */
export interface Value {
  text: string;
  /** Of a severity. */
  mark?: string;
  /** Of an address: as it is put into a link. */
  href?: string;
  /** Whether sections of it are there. */
  isShown: boolean;
}

export const MAX_STRING = 4_096;
const MAX_URL = 2_048;
/** What one sees: no white space, no control or formatting characters, no empty Braille cell. */
const VISIBLE = /[^\s\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/u;
/** What JSON, Postgres or Telegram cannot carry: NUL and halves of characters. */
const UNSTORABLE = /[\0\p{Surrogate}]/u;

export const isVisible = (text: string): boolean => VISIBLE.test(text);

type Rendered = Value | { fault: string };

const shown = (text: string): Value => ({ text, isShown: true });
const given = (text: string | null, fault: string): Rendered =>
  text === null ? { fault } : shown(text);

/** The value in words, or what is wrong with it, without quoting it. `timeZone`: of times. */
export function renderValue(variable: Variable, value: unknown, timeZone: string): Rendered {
  switch (variable.type) {
    case "number":
    case "integer":
      return numberValue(variable, value);
    case "boolean":
      if (typeof value !== "boolean") return { fault: "is true or false" };
      return { text: value ? "yes" : "no", isShown: value };
    default: {
      const fault = faultOfText(value);
      return fault === null ? textValue(variable, String(value), timeZone) : { fault };
    }
  }
}

function faultOfText(value: unknown): string | null {
  if (typeof value !== "string") return "is text";
  if (!isVisible(value)) return "has something to see";
  if (UNSTORABLE.test(value)) return "has no NUL and no half of a character";
  return null;
}

type OfText = Exclude<Variable, { type: "number" | "integer" } | { type: "boolean" }>;

function textValue(variable: OfText, value: string, timeZone: string): Rendered {
  switch (variable.type) {
    case "string": {
      const { maxLength = MAX_STRING } = variable;
      return value.length <= maxLength
        ? shown(value)
        : { fault: `has at most ${maxLength} characters` };
    }
    case "date":
      return given(dateText(value), "is a day like 2026-11-22");
    case "datetime":
      return given(datetimeText(value, timeZone), "is a time like 2026-11-22T14:05:00+01:00");
    case "url":
      return urlValue(value);
    case "enum":
      return variable.values.includes(value)
        ? shown(value)
        : { fault: "is one of the values that the template names" };
    case "severity": {
      const severity = SEVERITIES.find((one) => one === value);
      if (severity === undefined) return { fault: `is one of ${SEVERITIES.join(", ")}` };
      return { ...shown(SEVERITY_WORDS[severity]), mark: SEVERITY_MARKS[severity] };
    }
  }
}

interface Numeric {
  type: "number" | "integer";
  minimum?: number;
  maximum?: number;
}

function numberValue({ type, minimum, maximum }: Numeric, value: unknown): Rendered {
  if (typeof value !== "number" || !Number.isFinite(value)) return { fault: "is a number" };
  if (type === "integer" && !Number.isSafeInteger(value)) return { fault: "is a whole number" };
  if (minimum !== undefined && value < minimum) return { fault: `is at least ${minimum}` };
  if (maximum !== undefined && value > maximum) return { fault: `is at most ${maximum}` };
  // JavaScript writes -0 as 0, and the very large and the very small with an exponent.
  const text = String(value);
  if (text.includes("e")) return { fault: "can be written without an exponent" };
  return shown(text);
}

/** As it was given in the text, percent-encoded as a link needs it in an address. */
function urlValue(value: string): Rendered {
  const fault = "is an address that begins with http:// or https://, without a user's name in it";
  if (value.length > MAX_URL || !/^https?:\/\//i.test(value) || /\s/.test(value)) return { fault };
  const url = URL.canParse(value) ? new URL(value) : null;
  if (url === null || url.username !== "" || url.password !== "") return { fault };
  return { ...shown(value), href: url.href };
}
