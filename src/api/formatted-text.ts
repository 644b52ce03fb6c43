import {
  type Content,
  formatMessage,
  MAX_CAPTION,
  MAX_PART_ENTITIES,
  type NewMessage,
  TextError,
} from "../outbound/index.ts";
import { Problem } from "../platform/index.ts";

/** Words, as a call or a template has them; none where the content takes none. */
export interface Said extends Pick<NewMessage, "format" | "entities"> {
  text?: string;
}

/**
 * A text as its caller wrote it, formatted. It goes out in parts of at most `partLength` UTF-16 units;
 * a caption and an edit's new text have none. Throws `Problem` 400 for a text that cannot be sent as it
 * is formatted: its caller is told, and at once, long before Telegram would say so.
 */
export function formattedText(
  { text: source, format, entities: marks }: Said,
  partLength: number,
  { content, template }: { content?: Content<unknown>; template?: object } = {},
): Required<Pick<NewMessage, "text" | "entities" | "partLength">> {
  if (source === undefined) return { text: "", entities: [], partLength };
  try {
    const said = { text: source, format, entities: marks, partLength };
    const { text, entities } = formatMessage(said);
    if (text === "") throw new TextError("has visible text", 0);
    const most = content?.type === "edit" ? partLength : MAX_CAPTION;
    if (content !== undefined && text.length > most) {
      throw new TextError(`has at most ${most} characters with this content`, most);
    }
    // Telegram drops the rest in silence; a text without a content is cut so that none is.
    const first = content === undefined ? undefined : entities[MAX_PART_ENTITIES];
    if (first !== undefined) {
      const words = `has at most ${MAX_PART_ENTITIES} formatted places with this content`;
      throw new TextError(words, first.offset);
    }
    return { text, entities, partLength };
  } catch (error) {
    if (!(error instanceof TextError)) throw error;
    const detail = "The text cannot be sent as it is formatted.";
    const path = template === undefined ? "text" : "template";
    throw new Problem(400, "Invalid request", detail, {
      errors: [{ path, message: error.message }],
    });
  }
}
