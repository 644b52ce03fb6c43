import type { InlineButton, InlineResult } from "../../conversations/index.ts";
import type { ApiCall } from "../call-parts.ts";

/** What somebody is shown who types behind the bot's name, as it stands in a message's content. */
export interface InlineAnswer {
  type: "inline-answer";
  queryId: string;
  results: InlineResult[];
  /** Comes back with the query for what is behind these; empty: nothing is. */
  nextOffset: string;
  button: InlineButton | null;
}

/** Telegram may show the same again for so long, to the one who asked and to nobody else. */
const CACHE_S = 10;

/** Bot API: answerInlineQuery. A result is an article; chosen, its text is posted as it is. */
export function inlineAnswerCall({ queryId, results, nextOffset, button }: InlineAnswer): ApiCall {
  return {
    method: "answerInlineQuery",
    payload: {
      inline_query_id: queryId,
      results: results.map(({ id, title, description, text }) => ({
        type: "article",
        id,
        title,
        description,
        input_message_content: {
          message_text: text,
          link_preview_options: { is_disabled: true },
        },
      })),
      cache_time: CACHE_S,
      is_personal: true,
      next_offset: nextOffset,
      ...(button === null
        ? {}
        : { button: { text: button.text, start_parameter: button.startParameter } }),
    },
  };
}
