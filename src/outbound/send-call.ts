import type { Button } from "./new-message.ts";

/** A message as it is read to be sent. */
export interface MessageRow {
  id: string;
  chat_id: string;
  thread_id: string | null;
  business_connection_id: string | null;
  automatic: boolean;
  kind: "message" | "callback-answer";
  callback_query_id: string | null;
  text: string;
  format: "plain" | "html" | "markdown";
  buttons: Button[][] | null;
  reply_to: string | null;
  on_unknown: "resend" | "hold";
  /** False: not to be shown in a conversation. */
  in_conversation: boolean;
  expires_at: Date | null;
  silent: boolean;
  protected: boolean;
  link_preview: boolean;
  may_be_paid: boolean;
  /** Somebody approved it as it is: it goes out so, or not at all. */
  approved: boolean;
}

/** Of `outbound_messages m`. */
export const MESSAGE_COLUMNS = `m.id, m.chat_id, m.thread_id, m.kind, m.callback_query_id, m.text, m.format,
  m.buttons, m.reply_to, m.on_unknown, m.business_connection_id, m.automatic, m.in_conversation,
  m.expires_at, m.silent, m.protected, m.link_preview, m.may_be_paid, m.approved`;

const PARSE_MODES = { plain: undefined, html: "HTML", markdown: "Markdown" } as const;

/** Bot API: sendMessage and answerCallbackQuery. */
export function callOf(message: MessageRow): { method: string; payload: Record<string, unknown> } {
  if (message.kind === "callback-answer") {
    return {
      method: "answerCallbackQuery",
      payload: { callback_query_id: message.callback_query_id, text: message.text },
    };
  }
  const parseMode = PARSE_MODES[message.format];
  return {
    method: "sendMessage",
    payload: {
      chat_id: /^-?[0-9]+$/.test(message.chat_id) ? Number(message.chat_id) : message.chat_id,
      text: message.text,
      ...(message.silent ? { disable_notification: true } : {}),
      ...(message.protected ? { protect_content: true } : {}),
      ...(message.link_preview ? {} : { link_preview_options: { is_disabled: true } }),
      ...(parseMode ? { parse_mode: parseMode } : {}),
      ...(message.thread_id ? { message_thread_id: Number(message.thread_id) } : {}),
      ...(message.business_connection_id
        ? { business_connection_id: message.business_connection_id }
        : {}),
      ...(message.reply_to
        ? {
            reply_parameters: {
              message_id: Number(message.reply_to),
              allow_sending_without_reply: true,
            },
          }
        : {}),
      ...(message.buttons
        ? { reply_markup: { inline_keyboard: keyboardOf(message.buttons) } }
        : {}),
    },
  };
}

function keyboardOf(rows: Button[][]): unknown[][] {
  return rows.map((row) =>
    row.map(({ text, data, url }) =>
      url === undefined ? { text, callback_data: data ?? "" } : { text, url },
    ),
  );
}

/** Bot API: Message. None where the answer is another. */
export function messageIdsOf(message: unknown): string[] {
  const id = (message as { message_id?: unknown } | null)?.message_id;
  return typeof id === "number" ? [String(id)] : [];
}
