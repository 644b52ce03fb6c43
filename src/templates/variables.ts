import type { ProblemField } from "../platform/index.ts";
import { VARIABLE_NAME } from "./tags.ts";
import { isVisible, renderValue } from "./values.ts";

interface Declared {
  description?: string;
  /** Default: true, unless it has a default. One that is neither is only used inside its section. */
  required?: boolean;
}

/** What a template says of a variable. */
export type Variable = Declared &
  (
    | { type: "string"; default?: string /** In UTF-16 units. */; maxLength?: number }
    | { type: "number" | "integer"; default?: number; minimum?: number; maximum?: number }
    /** An ISO day; an RFC 3339 time; an http or https address; how bad it is. */
    | { type: "date" | "datetime" | "url" | "severity"; default?: string }
    | { type: "enum"; values: readonly string[]; default?: string }
    | { type: "boolean"; default?: boolean }
  );

export type Variables = Readonly<Record<string, Variable>>;

export const MAX_VARIABLES = 50;
/** Any zone will do for a default that is only looked at. */
const UTC = "UTC";

/** Whether a call may leave it out without anything taking its place. */
export const isOptional = (variable: Variable): boolean =>
  variable.required === false && variable.default === undefined;

/** What is wrong with declarations that have the shape of such. */
export function faultsOfVariables(variables: Variables): ProblemField[] {
  const names = Object.keys(variables);
  const faults = names.flatMap((name) => {
    const variable = variables[name];
    return variable === undefined ? [] : faultsOf(`variables.${name}`, name, variable);
  });
  if (names.length > MAX_VARIABLES) {
    faults.push({
      path: "variables",
      message: `a template has at most ${MAX_VARIABLES} variables`,
    });
  }
  return faults;
}

function faultsOf(path: string, name: string, variable: Variable): ProblemField[] {
  const faults: ProblemField[] = [];
  if (!VARIABLE_NAME.test(name)) {
    const message = "a name has 1 to 64 of a-z, 0-9 and _, and begins with a letter";
    faults.push({ path, message });
  }
  if (variable.type === "enum" && new Set(variable.values).size < variable.values.length) {
    faults.push({ path: `${path}.values`, message: "a value is there twice" });
  }
  if (variable.type === "enum" && !variable.values.every(isVisible)) {
    faults.push({ path: `${path}.values`, message: "each value has something to see" });
  }
  if (variable.type === "number" || variable.type === "integer") {
    const { minimum = -Infinity, maximum = Infinity } = variable;
    if (minimum > maximum) {
      faults.push({ path: `${path}.minimum`, message: "is more than the maximum" });
    }
  }
  if (variable.default === undefined) return faults;
  if (variable.required === true) {
    faults.push({ path: `${path}.default`, message: "what is required needs no default" });
  }
  const value = renderValue(variable, variable.default, UTC);
  if ("fault" in value) faults.push({ path: `${path}.default`, message: value.fault });
  return faults;
}
