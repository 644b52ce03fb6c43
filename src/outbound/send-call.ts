import type { UploadFile } from "../telegram/index.ts";
import { type ApiCall, chatIdOf, deliveryOf, markupOf } from "./call-parts.ts";
import { type Content, contentCall, contentMethod, TARGET, type Target } from "./content/index.ts";
import { nextPart } from "./message-parts.ts";
import type { Button } from "./new-message.ts";
import type { Cut, MessageEntity } from "./text/index.ts";

/** A message as it is read to be sent. */
export interface MessageRow {
  id: string;
  chat_id: string;
  thread_id: string | null;
  business_connection_id: string | null;
  automatic: boolean;
  kind: "message" | "callback-answer" | "inline-answer" | "deletion";
  callback_query_id: string | null;
  text: string;
  entities: MessageEntity[] | null;
  /** Of a text in parts: where each begins and ends. */
  cuts: Cut[] | null;
  parts_sent: number;
  /** What is to be said of the parts that are sent. */
  note: string | null;
  content: Content | null;
  /** Of an edit, a deletion, a pin: what they are about. */
  target_id: string | null;
  target: Target | null;
  buttons: Button[][] | null;
  reply_to: string | null;
  on_unknown: "resend" | "hold";
  /** False: not to be shown in a conversation. */
  in_conversation: boolean;
  expires_at: Date | null;
  silent: boolean;
  protected: boolean;
  link_preview: boolean;
  delete_after_s: number | null;
  /** Somebody approved it as it is: it goes out so, or not at all. */
  approved: boolean;
}

/** Of `outbound_messages m`. */
export const MESSAGE_COLUMNS = `m.id, m.chat_id, m.thread_id, m.kind, m.callback_query_id, m.text, m.entities,
  m.cuts, m.parts_sent, CASE WHEN m.error_class IS NULL THEN m.error END AS note,
  m.content, m.target_id, ${TARGET} AS target, m.buttons, m.reply_to, m.on_unknown,
  m.business_connection_id, m.automatic, m.in_conversation, m.expires_at, m.silent, m.protected,
  m.link_preview, m.delete_after_s, m.approved`;

/**
 * Bot API: sendMessage, answerCallbackQuery, or what its content is. Of a text in parts: the next one.
 *
 * @param files those of its content, in their order; null where Telegram has it
 * @throws CannotSend where what it is about does not allow it
 */
export function callOf(message: MessageRow, files: readonly (UploadFile | null)[] = []): ApiCall {
  if (message.kind === "callback-answer") {
    return {
      method: methodOf(message),
      payload: { callback_query_id: message.callback_query_id, text: message.text },
    };
  }
  if (message.content) {
    return contentCall(message.content, { message, files, says: textOf });
  }
  const part = nextPart(message);
  return {
    method: methodOf(message),
    payload: {
      chat_id: chatIdOf(message.chat_id),
      ...textOf(part, "text"),
      ...deliveryOf(part),
      ...markupOf(part),
    },
  };
}

/** The Bot API's method that sends it. */
export function methodOf(message: MessageRow): string {
  if (message.kind === "callback-answer") return "answerCallbackQuery";
  const { content, target, text } = message;
  return content ? contentMethod(content, target, text) : "sendMessage";
}

/** Bot API: a text, or a caption where there is one, and how it is marked up. */
function textOf(message: MessageRow, as: "text" | "caption"): Record<string, unknown> {
  if (as === "caption" && message.text === "") return {};
  const { text, entities } = message;
  const hidesPreview = as === "text" && !message.link_preview;
  return {
    [as]: text,
    ...(entities ? { [as === "text" ? "entities" : "caption_entities"]: entities } : {}),
    ...(hidesPreview ? { link_preview_options: { is_disabled: true } } : {}),
  };
}

/** Bot API: Message or MessageId, or several of an album. None where the answer is another. */
export function messageIdsOf(answer: unknown): string[] {
  return messagesOf(answer).flatMap((message) => {
    const id = (message as { message_id?: unknown } | null)?.message_id;
    return typeof id === "number" ? [String(id)] : [];
  });
}

/** One by one what an answer is of several. */
export const messagesOf = (answer: unknown): unknown[] =>
  Array.isArray(answer) ? answer : [answer];
