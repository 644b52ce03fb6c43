import type { MessageButton, MessageFormat } from "./message.ts";

/** A row of `outbound_messages`, as the one who sends it needs it. */
export interface Sendable {
  id: string;
  workspaceId: string;
  connectorId: string;
  kind: "message" | "callback-answer";
  chatId: string;
  threadId: string | null;
  callbackQueryId: string | null;
  text: string;
  format: MessageFormat;
  buttons: MessageButton[][] | null;
  replyTo: string | null;
}

/** A Bot API call. */
export interface BotApiRequest {
  method: string;
  params: Record<string, unknown>;
}

const PARSE_MODE = { html: "HTML", markdown: "MarkdownV2" } as const;

/** `plain`: without the asked formatting, when Telegram could not parse it. */
export function requestOf(message: Sendable, { plain = false } = {}): BotApiRequest {
  if (message.kind === "callback-answer") {
    return {
      method: "answerCallbackQuery",
      params: {
        callback_query_id: message.callbackQueryId,
        ...(message.text === "" ? {} : { text: message.text }),
      },
    };
  }
  const { format, threadId, replyTo, buttons } = message;
  return {
    method: "sendMessage",
    params: {
      // Telegram takes numbers as numbers; ids are within 52 bits.
      chat_id: message.chatId.startsWith("@") ? message.chatId : Number(message.chatId),
      text: message.text,
      ...(plain || format === "plain" ? {} : { parse_mode: PARSE_MODE[format] }),
      ...(threadId === null || threadId === "0" ? {} : { message_thread_id: Number(threadId) }),
      ...(replyTo === null
        ? {}
        : {
            reply_parameters: { message_id: Number(replyTo), allow_sending_without_reply: true },
          }),
      ...(buttons === null ? {} : { reply_markup: { inline_keyboard: keyboardOf(buttons) } }),
    },
  };
}

function keyboardOf(rows: MessageButton[][]): object[][] {
  return rows
    .filter((row) => row.length > 0)
    .map((row) =>
      row.map((button) =>
        "data" in button
          ? { text: button.text, callback_data: button.data }
          : { text: button.text, url: button.url },
      ),
    );
}
