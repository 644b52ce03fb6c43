import type { Button } from "./new-message.ts";
import type { MessageRow } from "./send-call.ts";

/** One call of the Bot API. */
export interface ApiCall {
  method: string;
  payload: Record<string, unknown>;
}

/** Bot API: `chat_id`, a number or a public name. */
export const chatIdOf = (chatId: string): number | string =>
  /^-?[0-9]+$/.test(chatId) ? Number(chatId) : chatId;

/** Bot API: in whose name, where a business account's bot calls. */
export const accountOf = (message: MessageRow): Record<string, unknown> =>
  message.business_connection_id ? { business_connection_id: message.business_connection_id } : {};

/** Bot API: what all methods that make a message appear take alike. */
export function deliveryOf(message: MessageRow): Record<string, unknown> {
  return {
    ...(message.silent ? { disable_notification: true } : {}),
    ...(message.protected ? { protect_content: true } : {}),
    ...(message.thread_id ? { message_thread_id: Number(message.thread_id) } : {}),
    ...accountOf(message),
    ...(message.reply_to
      ? {
          reply_parameters: {
            message_id: Number(message.reply_to),
            allow_sending_without_reply: true,
          },
        }
      : {}),
  };
}

/** Bot API: `reply_markup`, an InlineKeyboardMarkup. */
export const markupOf = (message: MessageRow): Record<string, unknown> =>
  message.buttons ? { reply_markup: { inline_keyboard: keyboardOf(message.buttons) } } : {};

function keyboardOf(rows: Button[][]): unknown[][] {
  return rows.map((row) =>
    row.map(({ text, data, url }) =>
      url === undefined ? { text, callback_data: data ?? "" } : { text, url },
    ),
  );
}
