import { detectEntities, trimWithEntities } from "../entities.ts";
import { badRequest } from "../errors.ts";
import { type FormattedText, parseHtml } from "../markup-html.ts";
import { parseMarkdown, parseMarkdownV2 } from "../markup-markdown.ts";
import type { MessageEntity } from "../telegram-objects.ts";

/**
 * Text as a bot sends it: markup parsed, ends trimmed, length counted in UTF-16 units after that,
 * and what Telegram finds by itself added.
 *
 * @throws BotApiRefusal 400
 */
export function formatText(
  source: string,
  parseMode: string | undefined,
  given: readonly MessageEntity[] | undefined,
): FormattedText {
  const parsed = parse(source, parseMode, given);
  const { text, entities } = trimWithEntities(parsed.text, parsed.entities);
  return { text, entities: detectEntities(text, entities) };
}

function parse(
  source: string,
  parseMode: string | undefined,
  given: readonly MessageEntity[] | undefined,
): FormattedText {
  switch (parseMode?.toLowerCase()) {
    case undefined:
    case "":
      return {
        text: source,
        entities: (given ?? []).filter(
          ({ offset, length }) => offset >= 0 && length > 0 && offset + length <= source.length,
        ),
      };
    case "html":
      return parseHtml(source);
    case "markdownv2":
      return parseMarkdownV2(source);
    case "markdown":
      return parseMarkdown(source);
    default:
      throw badRequest("unsupported parse_mode");
  }
}

/** Bot API: sendMessage, 1–4096 characters after entities parsing. */
export function messageText(
  source: string,
  parseMode: string | undefined,
  given: readonly MessageEntity[] | undefined,
): FormattedText {
  const formatted = formatText(source, parseMode, given);
  if (formatted.text === "") throw badRequest("message text is empty");
  if (formatted.text.length > 4096) throw badRequest("message is too long");
  return formatted;
}

/** Bot API: 0–1024 characters after entities parsing; undefined when there is none. */
export function captionText(
  source: string | undefined,
  parseMode: string | undefined,
  given: readonly MessageEntity[] | undefined,
): FormattedText | undefined {
  if (source === undefined) return undefined;
  const formatted = formatText(source, parseMode, given);
  if (formatted.text.length > 1024) throw badRequest("message caption is too long");
  return formatted.text === "" ? undefined : formatted;
}
