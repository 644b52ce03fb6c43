import type { ProblemField } from "../platform/index.ts";

/**
 * A template that cannot be kept as it is written, or values that it cannot be filled with. Each fault
 * says where: `body`, `variables.NAME`, `timeZone`. None of them quotes a value.
 */
export class TemplateError extends Error {
  override name = "TemplateError";
  readonly faults: readonly ProblemField[];

  constructor(faults: readonly ProblemField[]) {
    super(`The template cannot be used: ${faults.length} faults.`);
    this.faults = faults;
  }
}

/** A fault somewhere in a body: `at` counts UTF-16 units. */
export interface BodyFault {
  at: number;
  message: string;
}

/** As people count: the first line and the first column are 1. */
export function inBody(body: string, { at, message }: BodyFault): ProblemField {
  const before = body.slice(0, at);
  const line = before.split("\n").length;
  const column = at - before.lastIndexOf("\n");
  return { path: "body", message: `line ${line}, column ${column}: ${message}` };
}
