import type { NewMessage } from "./new-message.ts";
import { type Cut, cutText, type FormattedText, MAX_PART_LENGTH, parseText } from "./text/index.ts";

/** Of one message, at most: more would keep its chat busy for minutes. */
const MAX_PARTS = 100;

/** A message's text as its row has it. */
export interface FormattedMessage extends FormattedText {
  /** Of a text that goes out in parts: where each begins and ends. Null: it goes out as it is. */
  cuts: Cut[] | null;
}

/**
 * A text with entities instead of markup, and where it is cut. With `entities` the text is literal.
 * Decided once, when a message is accepted: what is sent later, by whatever version of this, is
 * neither repeated nor left out.
 *
 * Throws `TextError`.
 */
export function formatMessage({
  text,
  format = "plain",
  entities,
  partLength = MAX_PART_LENGTH,
}: Pick<NewMessage, "text" | "format" | "entities" | "partLength">): FormattedMessage {
  const whole = entities === undefined ? parseText(text, format) : { text, entities };
  const cuts = cutText(whole, Math.min(partLength, MAX_PART_LENGTH), MAX_PARTS);
  return { ...whole, cuts: cuts.length > 1 ? cuts : null };
}

/** As the columns of its row hold it: null where there is nothing to say. */
export function columnsOf({ text, entities, cuts }: FormattedMessage): {
  text: string;
  entities: string | null;
  cuts: string | null;
} {
  return {
    text,
    entities: entities.length > 0 ? JSON.stringify(entities) : null,
    cuts: cuts === null ? null : JSON.stringify(cuts),
  };
}
