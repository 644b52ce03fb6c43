import { badRequest } from "./errors.ts";
import type { MessageEntity } from "./telegram-objects.ts";

/** Text with the entities that its markup stood for. */
export interface FormattedText {
  text: string;
  entities: MessageEntity[];
}

const entityOf: Record<string, string> = {
  b: "bold",
  strong: "bold",
  i: "italic",
  em: "italic",
  u: "underline",
  ins: "underline",
  s: "strikethrough",
  strike: "strikethrough",
  del: "strikethrough",
  "tg-spoiler": "spoiler",
  "tg-emoji": "custom_emoji",
  a: "text_link",
  code: "code",
  pre: "pre",
  blockquote: "blockquote",
};

interface OpenTag {
  name: string;
  start: number;
  entity: Omit<MessageEntity, "offset" | "length"> | undefined;
}

/**
 * Bot API: HTML style. Refuses what Telegram refuses, in its words.
 *
 * @throws BotApiRefusal 400 `can't parse entities: …` with the byte offset
 */
export function parseHtml(source: string): FormattedText {
  const entities: MessageEntity[] = [];
  const open: OpenTag[] = [];
  let text = "";
  let at = 0;
  const byteOffset = (index: number) => Buffer.byteLength(source.slice(0, index));
  const refuse = (what: string) => badRequest(`can't parse entities: ${what}`);

  while (at < source.length) {
    const character = source.charAt(at);
    if (character === "&") {
      const reference = readReference(source, at);
      text += reference?.text ?? "&";
      at += reference?.length ?? 1;
      continue;
    }
    if (character !== "<") {
      text += character;
      at++;
      continue;
    }
    const end = source.indexOf(">", at);
    if (end < 0) throw refuse(`Unclosed start tag at byte offset ${byteOffset(at)}`);
    const inner = source.slice(at + 1, end);
    if (inner.startsWith("/")) {
      const name = inner.slice(1).trim().toLowerCase();
      const tag = open.pop();
      if (tag === undefined) throw refuse(`Unexpected end tag at byte offset ${byteOffset(at)}`);
      if (name !== "" && name !== tag.name)
        throw refuse(
          `Unmatched end tag at byte offset ${byteOffset(at)}, expected "</${tag.name}>", found "</${name}>"`,
        );
      close(tag, text, entities);
    } else {
      const tag = readTag(inner, text.length);
      if (tag === undefined)
        throw refuse(
          `Unsupported start tag "${inner.split(/[\s/]/)[0]?.toLowerCase() ?? ""}" at byte offset ${byteOffset(at)}`,
        );
      open.push(tag);
    }
    at = end + 1;
  }
  const unclosed = open.pop();
  if (unclosed !== undefined)
    throw refuse(`Can't find end tag corresponding to start tag "${unclosed.name}"`);
  return { text, entities: entities.sort((a, b) => a.offset - b.offset || b.length - a.length) };
}

function close(tag: OpenTag, text: string, entities: MessageEntity[]): void {
  const length = text.length - tag.start;
  if (length === 0 || tag.entity === undefined) return;
  const { url } = tag.entity;
  if (tag.entity.type === "text_link") {
    const target = url ?? text.slice(tag.start);
    if (!/^(https?|tg|ftp|tonsite|mailto|tel):/i.test(target)) return;
    entities.push({ ...tag.entity, url: target, offset: tag.start, length });
    return;
  }
  entities.push({ ...tag.entity, offset: tag.start, length });
}

function readTag(inner: string, start: number): OpenTag | undefined {
  const name = /^[a-z0-9-]+/i.exec(inner)?.[0].toLowerCase() ?? "";
  const attributes = new Map<string, string>();
  for (const match of inner
    .slice(name.length)
    .matchAll(/([a-z-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|(\S+)))?/gi))
    attributes.set(
      (match[1] ?? "").toLowerCase(),
      unescapeHtml(match[2] ?? match[3] ?? match[4] ?? ""),
    );
  if (name === "span")
    return attributes.get("class") === "tg-spoiler"
      ? { name, start, entity: { type: "spoiler" } }
      : undefined;
  const type = entityOf[name];
  if (type === undefined) return undefined;
  switch (type) {
    case "text_link":
      return { name, start, entity: { type, url: attributes.get("href") } };
    case "custom_emoji":
      return { name, start, entity: { type, custom_emoji_id: attributes.get("emoji-id") ?? "" } };
    case "blockquote":
      return {
        name,
        start,
        entity: { type: attributes.has("expandable") ? "expandable_blockquote" : type },
      };
    case "code": {
      const language = attributes.get("class")?.replace(/^language-/, "");
      return { name, start, entity: language ? { type, language } : { type } };
    }
    default:
      return { name, start, entity: { type } };
  }
}

const named: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"' };

function readReference(source: string, at: number): { text: string; length: number } | undefined {
  const match = /^&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]+));?/i.exec(source.slice(at, at + 12));
  if (match === null) return undefined;
  if (match[3] !== undefined) {
    const text = named[match[3]];
    return text === undefined ? undefined : { text, length: match[0].length };
  }
  const code = match[1] !== undefined ? Number(match[1]) : Number.parseInt(match[2] ?? "", 16);
  if (code === 0 || code > 0x10ffff) return undefined;
  return { text: String.fromCodePoint(code), length: match[0].length };
}

function unescapeHtml(text: string): string {
  return text.replace(/&(lt|gt|amp|quot);/g, (whole, name: string) => named[name] ?? whole);
}
