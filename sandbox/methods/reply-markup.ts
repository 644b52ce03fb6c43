import { badRequest } from "../errors.ts";
import type { InlineKeyboardButton, ReplyMarkup } from "../telegram-objects.ts";
import type { Chat } from "../world.ts";

/** What makes an inline button do something; each has exactly one. */
const actions = [
  "callback_data",
  "url",
  "web_app",
  "login_url",
  "switch_inline_query",
  "switch_inline_query_current_chat",
  "switch_inline_query_chosen_chat",
  "copy_text",
  "callback_game",
  "pay",
];

/**
 * What the schema cannot say about keyboards (Bot API: InlineKeyboardButton, ReplyKeyboardMarkup).
 *
 * @throws BotApiRefusal 400
 */
export function checkMarkup(markup: ReplyMarkup | undefined, chat: Chat): ReplyMarkup | undefined {
  if (markup === undefined) return undefined;
  if (markup.inline_keyboard !== undefined) return checkButtons(markup);
  if (chat.type === "channel") throw badRequest("only inline keyboards are allowed in channels");
  for (const button of markup.keyboard?.flat() ?? []) {
    const text = typeof button === "string" ? button : button.text;
    if (text.trim() === "") throw badRequest("keyboard button text must be non-empty");
  }
  return markup;
}

/** The inline keyboard of a markup, checked; undefined when it has no buttons. */
export function checkButtons(markup: ReplyMarkup | undefined): ReplyMarkup | undefined {
  const rows = (markup?.inline_keyboard ?? []).filter((row) => row.length > 0);
  for (const button of rows.flat()) checkButton(button);
  return rows.length === 0 ? undefined : { inline_keyboard: rows };
}

function checkButton(button: InlineKeyboardButton): void {
  if (button.text.trim() === "") throw badRequest("inline keyboard button text must be non-empty");
  const used = actions.filter((action) => button[action] !== undefined);
  if (used.length === 0)
    throw badRequest(
      "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
    );
  if (used.length > 1)
    throw badRequest("can't parse inline keyboard button: exactly one action must be specified");
  if (button.callback_data !== undefined) {
    const size = Buffer.byteLength(button.callback_data);
    if (size < 1 || size > 64) throw badRequest("BUTTON_DATA_INVALID");
  }
  if (
    button.url !== undefined &&
    !/^(https?|tg|ton):\/\/\S+$/i.test(button.url) &&
    !/^[\w-]+(\.[\w-]+)+(\/\S*)?$/.test(button.url)
  )
    throw badRequest(`inline keyboard button URL '${button.url}' is invalid: Wrong HTTP URL`);
}
