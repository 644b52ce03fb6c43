import { badRequest } from "./errors.ts";
import type { FormattedText } from "./markup-html.ts";
import type { MessageEntity } from "./telegram-objects.ts";

const reserved = new Set("_*[]()~`>#+-=|{}.!");

/** Longest first: `__` is underline and not twice italic. */
const markers: [marker: string, type: string, name: string][] = [
  ["||", "spoiler", "Spoiler"],
  ["__", "underline", "Underline"],
  ["*", "bold", "Bold"],
  ["_", "italic", "Italic"],
  ["~", "strikethrough", "Strikethrough"],
];

interface Open {
  marker: string;
  type: string;
  name: string;
  start: number;
  sourceAt: number;
}

/**
 * Bot API: MarkdownV2 style. A reserved character that is neither markup nor escaped is refused.
 *
 * @throws BotApiRefusal 400 `can't parse entities: …`
 */
export function parseMarkdownV2(source: string): FormattedText {
  const entities: MessageEntity[] = [];
  const open: Open[] = [];
  let text = "";
  let at = 0;
  const byteOffset = (index: number) => Buffer.byteLength(source.slice(0, index));
  const refuse = (what: string) => badRequest(`can't parse entities: ${what}`);
  const unescaped = (character: string) =>
    refuse(`Character '${character}' is reserved and must be escaped with the preceding '\\'`);

  while (at < source.length) {
    const character = source.charAt(at);
    const next = source.charAt(at + 1);
    if (character === "\\" && next !== "" && next.charCodeAt(0) <= 126) {
      text += next;
      at += 2;
      continue;
    }
    if (character === "`") {
      const code = readCode(source, at);
      if (code === undefined)
        throw refuse(
          `Can't find end of ${source.startsWith("```", at) ? "PreCode" : "Code"} entity at byte offset ${byteOffset(at)}`,
        );
      if (code.text !== "")
        entities.push({
          type: code.type,
          offset: text.length,
          length: code.text.length,
          ...(code.language !== undefined && { language: code.language }),
        });
      text += code.text;
      at += code.length;
      continue;
    }
    const top = open.at(-1);
    if (top !== undefined && top.marker !== "[" && source.startsWith(top.marker, at)) {
      open.pop();
      if (text.length > top.start)
        entities.push({ type: top.type, offset: top.start, length: text.length - top.start });
      at += top.marker.length;
      continue;
    }
    if (character === "[" || (character === "!" && next === "[")) {
      open.push({
        marker: "[",
        type: "text_link",
        name: "TextUrl",
        start: text.length,
        sourceAt: at,
      });
      at += character === "!" ? 2 : 1;
      continue;
    }
    if (character === "]" && top?.marker === "[") {
      open.pop();
      const link = /^\]\(((?:\\.|[^)\\])*)\)/.exec(source.slice(at));
      if (link === null) {
        at++;
        continue;
      }
      const url = (link[1] ?? "").replace(/\\(.)/g, "$1");
      if (text.length > top.start && /^[a-z]+:/i.test(url))
        entities.push({
          type: "text_link",
          offset: top.start,
          length: text.length - top.start,
          url,
        });
      at += link[0].length;
      continue;
    }
    const marker = markers.find(([mark]) => source.startsWith(mark, at));
    if (marker !== undefined) {
      if (open.some((each) => each.marker === marker[0])) throw unescaped(character);
      open.push({
        marker: marker[0],
        type: marker[1],
        name: marker[2],
        start: text.length,
        sourceAt: at,
      });
      at += marker[0].length;
      continue;
    }
    if (character === ">" && (at === 0 || source[at - 1] === "\n")) {
      at++;
      continue;
    }
    if (reserved.has(character)) throw unescaped(character);
    text += character;
    at++;
  }
  const unclosed = open.at(-1);
  if (unclosed !== undefined)
    throw refuse(
      `Can't find end of ${unclosed.name} entity at byte offset ${byteOffset(unclosed.sourceAt)}`,
    );
  return { text, entities: entities.sort((a, b) => a.offset - b.offset || b.length - a.length) };
}

/** Bot API: Markdown style, the old one: no nesting, and only `_ * \` [` have a meaning. */
export function parseMarkdown(source: string): FormattedText {
  const entities: MessageEntity[] = [];
  let text = "";
  let at = 0;
  const types: Record<string, string> = { _: "italic", "*": "bold" };
  while (at < source.length) {
    const character = source.charAt(at);
    if (character === "\\" && "_*`[".includes(source.charAt(at + 1)) && at + 1 < source.length) {
      text += source.charAt(at + 1);
      at += 2;
      continue;
    }
    if (!"_*`[".includes(character)) {
      text += character;
      at++;
      continue;
    }
    const rest = source.slice(at);
    const link = /^\[([^\]]*)\](?:\(([^)]*)\))?/.exec(rest);
    const code = character === "`" ? readCode(source, at) : undefined;
    const end = character in types ? source.indexOf(character, at + 1) : -1;
    const found:
      | {
          inner: string;
          length: number;
          entity: { type: string; url?: string; language?: string } | undefined;
        }
      | undefined =
      link !== null
        ? {
            inner: link[1] ?? "",
            length: link[0].length,
            entity: link[2] === undefined ? undefined : { type: "text_link", url: link[2] },
          }
        : code !== undefined
          ? { inner: code.text, length: code.length, entity: { type: code.type } }
          : end > 0
            ? {
                inner: source.slice(at + 1, end),
                length: end + 1 - at,
                entity: { type: types[character] ?? "" },
              }
            : undefined;
    if (found === undefined)
      throw badRequest(
        `can't parse entities: Can't find end of the entity starting at byte offset ${Buffer.byteLength(source.slice(0, at))}`,
      );
    if (found.inner !== "" && found.entity !== undefined)
      entities.push({ ...found.entity, offset: text.length, length: found.inner.length });
    text += found.inner;
    at += found.length;
  }
  return { text, entities };
}

function readCode(
  source: string,
  at: number,
): { type: string; text: string; length: number; language?: string } | undefined {
  const fence = source.startsWith("```", at) ? "```" : "`";
  const end = source.indexOf(fence, at + fence.length);
  if (end < 0) return undefined;
  const inner = source.slice(at + fence.length, end);
  const length = end + fence.length - at;
  if (fence === "`") return { type: "code", text: inner.replace(/\\([\\`])/g, "$1"), length };
  const language = /^([a-z0-9_+-]+)\n/i.exec(inner)?.[1];
  const body = (
    language === undefined ? inner.replace(/^\n/, "") : inner.slice(language.length + 1)
  ).replace(/\\([\\`])/g, "$1");
  return { type: "pre", text: body, length, ...(language !== undefined && { language }) };
}
