import type { BodyFault } from "./template-error.ts";

/**
 * The whole language of templates: `{{name}}` is a value, `{{name.mark}}` the mark of a severity, and
 * `{{#name}}…{{/name}}` a section that is there when the variable is. No expressions, no loops, nothing
 * that calls anything.
 */
export interface Tag {
  kind: "value" | "mark" | "open" | "close";
  name: string;
  /** Where it stands in the body, in UTF-16 units. */
  at: number;
  length: number;
  /** Of which variables it is in a section. */
  guards: readonly string[];
}

export const VARIABLE_NAME = /^[a-z][a-z0-9_]{0,63}$/;
const INSIDE = /^[ \t]*([#/]?)[ \t]*([a-z][a-z0-9_]{0,63})(\.mark)?[ \t]*$/;
/** Each is longer while the body is parsed than it is written. */
export const MAX_TAGS = 200;
const MAX_DEPTH = 8;

/** In the body's order, with everything that is wrong with how they are written. */
export function readTags(body: string): { tags: Tag[]; faults: BodyFault[] } {
  const tags: Tag[] = [];
  const faults: BodyFault[] = [];
  const open: Tag[] = [];
  for (let at = body.indexOf("{{"); at >= 0; ) {
    const end = body.indexOf("}}", at + 2);
    const tag = end < 0 ? null : tagOf(body.slice(at + 2, end));
    if (end < 0 || tag === null) {
      faults.push({ at, message: HOW });
      at = body.indexOf("{{", at + 2);
      continue;
    }
    if (tags.length === MAX_TAGS) {
      faults.push({ at, message: `a template has at most ${MAX_TAGS} tags` });
      break;
    }
    const place = { at, length: end + 2 - at };
    if (tag.kind === "close") {
      const opened = open.at(-1);
      if (opened?.name === tag.name) open.pop();
      else faults.push({ at, message: closedWrongly(tag.name, opened) });
    }
    const whole = { ...tag, ...place, guards: open.map(({ name }) => name) };
    if (tag.kind === "open") {
      if (open.length === MAX_DEPTH) {
        faults.push({ at, message: `sections stand inside each other at most ${MAX_DEPTH} deep` });
      }
      open.push(whole);
    }
    tags.push(whole);
    at = body.indexOf("{{", end + 2);
  }
  for (const { at, name } of open) {
    faults.push({ at, message: `the section {{#${name}}} is not closed by {{/${name}}}` });
  }
  return { tags, faults };
}

const HOW = "after {{ comes a variable: write {{name}}, {{#name}} or {{/name}}";

function tagOf(inside: string): Pick<Tag, "kind" | "name"> | null {
  const [, sign, name, facet] = INSIDE.exec(inside) ?? [];
  if (name === undefined || (sign !== "" && facet !== undefined)) return null;
  if (sign === "#") return { kind: "open", name };
  if (sign === "/") return { kind: "close", name };
  return { kind: facet === undefined ? "value" : "mark", name };
}

const closedWrongly = (name: string, opened: Tag | undefined) =>
  opened === undefined
    ? `{{/${name}}} closes a section that was not opened`
    : `{{/${name}}} stands where {{/${opened.name}}} has to come first`;
