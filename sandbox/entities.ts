import type { MessageEntity } from "./telegram-objects.ts";

/**
 * The entities Telegram finds in plain text by itself. Offsets and lengths count UTF-16 units, as
 * JavaScript strings do.
 */
const detectors: { type: string; pattern: RegExp }[] = [
  { type: "url", pattern: /\bhttps?:\/\/[^\s<>"]*[^\s<>".,;:!?)\]]/giu },
  { type: "email", pattern: /(?<![\w.+-])[\w.+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}/giu },
  {
    type: "bot_command",
    pattern: /(?<![\w/@<>])\/[a-z0-9_]{1,64}(?:@[a-z0-9_]{3,32})?(?![\w/@])/giu,
  },
  { type: "mention", pattern: /(?<![\w@])@[a-z][a-z0-9_]{2,31}(?!\w)/giu },
  { type: "hashtag", pattern: /(?<![\p{L}\p{N}_#])#(?=[\p{L}\p{N}_]*\p{L})[\p{L}\p{N}_]{1,256}/gu },
];

/** Finds commands, mentions, links, addresses and hashtags; none overlaps another or `taken`. */
export function detectEntities(
  text: string,
  taken: readonly MessageEntity[] = [],
): MessageEntity[] {
  if (!/[/@#:]/.test(text)) return [...taken];
  const found: MessageEntity[] = [...taken];
  const blocked = taken.filter((entity) =>
    ["code", "pre", "text_link", "text_mention"].includes(entity.type),
  );
  for (const { type, pattern } of detectors) {
    for (const match of text.matchAll(pattern)) {
      const entity = { type, offset: match.index, length: match[0].length };
      if (blocked.some((other) => overlaps(other, entity))) continue;
      blocked.push(entity);
      found.push(entity);
    }
  }
  return found.sort((a, b) => a.offset - b.offset || b.length - a.length);
}

function overlaps(a: MessageEntity, b: MessageEntity): boolean {
  return a.offset < b.offset + b.length && b.offset < a.offset + a.length;
}

/** The text an entity covers. */
export function entityText(text: string, entity: MessageEntity): string {
  return text.slice(entity.offset, entity.offset + entity.length);
}

/** Cuts white space off both ends, as Telegram does, and moves the entities along. */
export function trimWithEntities(
  text: string,
  entities: readonly MessageEntity[],
): { text: string; entities: MessageEntity[] } {
  const trimmed = text.trim();
  if (trimmed.length === text.length) return { text, entities: [...entities] };
  const cut = text.length - text.trimStart().length;
  const moved: MessageEntity[] = [];
  for (const entity of entities) {
    const start = Math.max(0, entity.offset - cut);
    const end = Math.min(trimmed.length, entity.offset + entity.length - cut);
    if (end > start) moved.push({ ...entity, offset: start, length: end - start });
  }
  return { text: trimmed, entities: moved };
}
