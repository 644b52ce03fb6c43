import type { InlineResult } from "../../conversations/index.ts";
import type { FoundEntry } from "../../register/index.ts";
import type { Texts } from "./texts.ts";

const MAX_TITLE = 100;
const MAX_DESCRIPTION = 200;

/**
 * An entry as somebody sees it in the list, and as it is posted once they choose it. A code has at most
 * 60 characters, a title 300, a description here 500: together they fit into one message.
 */
export function resultOf(
  { kinds, statuses }: Texts,
  { kind, id, code, title, description, status }: FoundEntry,
): InlineResult {
  const standing = `${kinds[kind]} · ${statuses[status as keyof Texts["statuses"]] ?? status}`;
  const more = oneLine(description);
  return {
    id: `${kind}:${id}`,
    title: cut(oneLine(`${code} · ${title}`), MAX_TITLE),
    description: cut(more === "" ? standing : `${standing} · ${more}`, MAX_DESCRIPTION),
    text: [`${code} · ${title}`, standing, description.trim()]
      .filter((line) => line !== "")
      .join("\n"),
  };
}

const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim();

/** By whole characters: half of one cannot be stored. */
function cut(text: string, length: number): string {
  const letters = [...text];
  return letters.length <= length ? text : `${letters.slice(0, length - 1).join("")}…`;
}
