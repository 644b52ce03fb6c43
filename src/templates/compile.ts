import { type FormattedText, parseText, TextError } from "../outbound/index.ts";
import type { ProblemField } from "../platform/index.ts";
import { faultsOfLayout, layOut } from "./lay-out.ts";
import type { MarkedText } from "./marked-text.ts";
import { collisionIn, type Placed, place } from "./placeholders.ts";
import { sectionsOf, withSections } from "./sections.ts";
import { readTags, type Tag } from "./tags.ts";
import { type BodyFault, inBody, TemplateError } from "./template-error.ts";
import { isVisible } from "./values.ts";
import { faultsOfVariables, isOptional, type Variables } from "./variables.ts";

/** A template as it is written. */
export interface Written {
  format: "html" | "markdown";
  body: string;
  variables: Variables;
}

/** In UTF-16 units: with its placeholders it is to be no longer than what is parsed at most. */
export const MAX_BODY = 16_384;

/**
 * Reads a template once and for all: its formatting is parsed with placeholders for its tags, so that
 * no value is ever parsed. Throws `TemplateError` with all that is wrong, by line and column.
 */
export function compileTemplate({ format, body, variables }: Written): MarkedText {
  const source = body.replaceAll(/\r\n?/g, "\n");
  const { tags, faults } = readTags(source);
  refuse(source, faults, [...faultsOfBody(body), ...faultsOfVariables(variables)]);
  refuse(
    source,
    [...faultsOfUse(tags, variables), ...addressed(source, tags)],
    unused(tags, variables),
  );
  const parsed = parse(source, place(source, tags), format);
  const { marked, faults: misplaced } = layOut(parsed, tags, variables);
  refuse(source, misplaced);
  refuse(source, faultsOfLayout(marked, sectionsOf(marked), tags, variables));
  if (!isVisible(withSections(marked, (name) => isAlways(variables[name])).text)) {
    const message = "says nothing when what may be left out is left out";
    throw new TemplateError([{ path: "body", message }]);
  }
  return marked;
}

/** Nobody reads more of them. */
const MAX_FAULTS = 50;

/** Throws `TemplateError` when there are any. */
function refuse(body: string, faults: BodyFault[], others: ProblemField[] = []): void {
  const told = faults.slice(0, MAX_FAULTS).map((fault) => inBody(body, fault));
  const all = [...others, ...told];
  if (all.length > 0) throw new TemplateError(all);
}

function faultsOfBody(body: string): ProblemField[] {
  const message = `has at most ${MAX_BODY} characters`;
  return body.length > MAX_BODY ? [{ path: "body", message }] : [];
}

const isAlways = (variable: Variables[string] | undefined): boolean =>
  variable !== undefined && variable.type !== "boolean" && !isOptional(variable);

function unused(tags: readonly Tag[], variables: Variables): ProblemField[] {
  const used = new Set(tags.map(({ name }) => name));
  return Object.keys(variables)
    .filter((name) => !used.has(name))
    .map((name) => ({ path: `variables.${name}`, message: "is not used in the body" }));
}

/** What tags say of variables that is not so. */
function faultsOfUse(tags: readonly Tag[], variables: Variables): BodyFault[] {
  return tags.flatMap(({ kind, name, at, guards }) => {
    const variable = Object.hasOwn(variables, name) ? variables[name] : undefined;
    const fault = (message: string) => [{ at, message }];
    if (variable === undefined) return fault(`there is no variable called ${name}`);
    if (kind === "mark" && variable.type !== "severity") {
      return fault(`only a severity has a mark, and ${name} is of type ${variable.type}`);
    }
    const isValue = kind === "value" || kind === "mark";
    if (isValue && isOptional(variable) && !guards.includes(name)) {
      const how = `put it inside {{#${name}}}…{{/${name}}}, or give it a default`;
      return fault(`${name} may be left out: ${how}`);
    }
    return [];
  });
}

/** Up to a place that is in the address of a link, of either format. */
const IN_ADDRESS = /(?:\]\([^)\s]*|\bhref\s*=\s*(?:"[^"]*|'[^']*|[^\s"'>]*))$/i;

/**
 * Sections in addresses, which would be shown as text, and addresses that are kept for placeholders.
 */
function addressed(body: string, tags: readonly Tag[]): BodyFault[] {
  const faults = tags
    .filter(({ kind }) => kind === "open" || kind === "close")
    .filter(({ at }) => IN_ADDRESS.test(body.slice(Math.max(0, at - 200), at)))
    .map(({ at }) => ({ at, message: "a section cannot stand in a link's address" }));
  const at = collisionIn(body);
  const message = "heliographslot cannot be part of a template";
  return at < 0 ? faults : [...faults, { at, message }];
}

function parse(body: string, placed: Placed, format: Written["format"]): FormattedText {
  try {
    return parseText(placed.source, format);
  } catch (error) {
    if (!(error instanceof TextError)) throw error;
    // It names places of the source, where tags are longer than they are written.
    const message = error.message.replaceAll(/ at [0-9]+/g, "");
    throw new TemplateError([inBody(body, { at: placed.inBody(error.position), message })]);
  }
}
