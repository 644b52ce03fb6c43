import type { Asker } from "../request-sink.ts";
import { commandsFor } from "./command-list.ts";
import { bold, escaped } from "./html.ts";
import type { Texts } from "./texts.ts";

/** What this person can do there, as HTML; nothing in it is secret. */
export function helpText(
  texts: Texts,
  { viewer, access }: Asker,
  { isPrivate }: { isPrivate: boolean },
): string {
  const lines = commandsFor(viewer, access, { isPrivate }).map(
    ({ name, usage }) => `${escaped(usage)} – ${escaped(texts.commands[name])}`,
  );
  const { title, writing, inGroups } = texts.help;
  return [bold(title), ...lines, "", escaped(isPrivate ? writing : inGroups)].join("\n");
}
