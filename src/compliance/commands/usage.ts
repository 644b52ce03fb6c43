import { commandNamed } from "./command-list.ts";
import { code, escaped } from "./html.ts";
import type { Texts } from "./texts.ts";

/** How a command is written, and one example, as HTML. */
export function usageOf(texts: Texts, name: string): string {
  const { usage = `/${name}`, example } = commandNamed(name) ?? {};
  return [
    `${escaped(texts.usage)}: ${code(usage)}`,
    ...(example === undefined ? [] : [`${escaped(texts.example)}: ${code(example)}`]),
  ].join("\n");
}
