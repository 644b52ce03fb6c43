/**
 * text: what people and programs write, as Telegram takes it: markup becomes entities, and a text that
 * is too long becomes parts. Pure, and bounded in time whatever is written.
 */
import type { FormattedText } from "./message-entity.ts";
import { parseHtml } from "./parse-html.ts";
import { parseMarkdown } from "./parse-markdown.ts";
import { TextError } from "./text-error.ts";

export type { EntityType, FormattedText, MessageEntity } from "./message-entity.ts";
export {
  type Cut,
  cutText,
  MAX_PART_ENTITIES,
  MAX_PART_LENGTH,
  partOf,
  splitText,
} from "./split-text.ts";
export { TextError } from "./text-error.ts";

export const TEXT_FORMATS = ["plain", "html", "markdown"] as const;
export type TextFormat = (typeof TEXT_FORMATS)[number];

/** A source has at most so many UTF-16 units: what fits into ten messages is still one. */
export const MAX_TEXT_LENGTH = 40_000;

/**
 * A text and what its markup stands for; plain text stands for itself. Both ends lose their white
 * space. NUL and halves of characters, which nothing can carry, become U+FFFD. The text is empty
 * where nothing of it is to be seen.
 *
 * Throws `TextError` for a text that is too long, or whose markup is wrong.
 */
export function parseText(source: string, format: TextFormat): FormattedText {
  if (source.length > MAX_TEXT_LENGTH) {
    throw new TextError(`has at most ${MAX_TEXT_LENGTH} characters`, MAX_TEXT_LENGTH);
  }
  const sound = source.replace(/\0|\p{Surrogate}/gu, "\uFFFD").replace(/\r\n?/g, "\n");
  switch (format) {
    case "plain":
      return { text: sound.trim(), entities: [] };
    case "html":
      return parseHtml(sound);
    case "markdown":
      return parseMarkdown(sound);
  }
}
