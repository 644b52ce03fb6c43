import { type FormattedText, MAX_TEXT_LENGTH } from "../outbound/index.ts";
import type { ProblemField } from "../platform/index.ts";
import { type HrefPart, type MarkedText, replace, type Slot } from "./marked-text.ts";
import { withSections } from "./sections.ts";
import { TemplateError } from "./template-error.ts";
import { renderValue, type Value } from "./values.ts";
import { isOptional, type Variable, type Variables } from "./variables.ts";

/**
 * Fills a template in. Values are put into text that is parsed already: whatever they hold, they are
 * text, and formatting is what the template says. Throws `TemplateError` for a value that is missing,
 * unknown or not of its type. `timeZone`: of times.
 */
export function fill(
  marked: MarkedText,
  variables: Variables,
  given: Readonly<Record<string, unknown>>,
  timeZone: string,
): FormattedText {
  const values = valuesOf(variables, given, timeZone);
  let filled = withSections(marked, (name) => values.get(name)?.isShown ?? false);
  // From the end, so that the places before stay what they are.
  for (const slot of filled.slots.toReversed()) {
    filled = replace(filled, slot.at, slot.at + 1, textOf(slot, values));
  }
  if (filled.text.length > MAX_TEXT_LENGTH) {
    const message = `make a message of more than ${MAX_TEXT_LENGTH} characters`;
    throw new TemplateError([{ path: "variables", message }]);
  }
  return {
    text: filled.text,
    entities: filled.entities.map(({ href, ...entity }) =>
      href === undefined ? entity : { ...entity, url: addressOf(href, values) },
    ),
  };
}

type Values = ReadonlyMap<string, Value>;

function valuesOf(
  variables: Variables,
  given: Readonly<Record<string, unknown>>,
  timeZone: string,
): Values {
  const values = new Map<string, Value>();
  const faults: ProblemField[] = Object.keys(given)
    .filter((name) => !Object.hasOwn(variables, name))
    .map((name) => ({ path: `variables.${name}`, message: "the template has no such variable" }));
  for (const [name, variable] of Object.entries(variables)) {
    const value = (Object.hasOwn(given, name) ? given[name] : null) ?? variable.default;
    const rendered =
      value === undefined ? leftOut(variable) : renderValue(variable, value, timeZone);
    if (rendered === null) continue;
    if ("fault" in rendered) faults.push({ path: `variables.${name}`, message: rendered.fault });
    else values.set(name, rendered);
  }
  if (faults.length > 0) throw new TemplateError(faults);
  return values;
}

const leftOut = (variable: Variable) => (isOptional(variable) ? null : { fault: "is missing" });

function textOf({ kind, name }: Slot, values: Values): string {
  const value = values.get(name);
  const text = kind === "mark" ? value?.mark : value?.text;
  if (text === undefined) throw new Error(`a slot of ${name} without a value was kept`);
  return text;
}

/** A whole address stays one; inside another it is one piece of that, whatever it holds. */
function addressOf(href: readonly HrefPart[], values: Values): string {
  return href
    .map((part) => {
      if (typeof part === "string") return part;
      const address = values.get(part.name)?.href;
      if (address === undefined)
        throw new Error(`a link with ${part.name} without a value was kept`);
      return href.length === 1 ? address : encodeURIComponent(address);
    })
    .join("");
}
