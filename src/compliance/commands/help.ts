import type { ChatRequest } from "../../conversations/index.ts";
import type { Asker } from "../request-sink.ts";
import { may } from "../rights.ts";
import { commandsFor } from "./command-list.ts";
import { bold, escaped } from "./html.ts";
import type { Texts } from "./texts.ts";

/** What this person can do there, as HTML; nothing in it is secret. */
export function helpText(
  texts: Texts,
  { viewer, access }: Asker,
  { isPrivate, purpose }: { isPrivate: boolean; purpose: ChatRequest["purpose"] },
): string {
  const takesFiles = isPrivate && purpose !== "support" && may(viewer, "submit-evidence", access);
  const lines = commandsFor(viewer, access, { isPrivate }).map(
    ({ name, usage }) => `${escaped(usage)} – ${escaped(texts.commands[name])}`,
  );
  const { title, files, writing, inGroups } = texts.help;
  return [
    bold(title),
    ...lines,
    "",
    ...(takesFiles ? [escaped(files)] : []),
    escaped(isPrivate ? writing : inGroups),
  ].join("\n");
}
