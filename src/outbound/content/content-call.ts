import type { UploadFile } from "../../telegram/index.ts";
import { type ApiCall, accountOf, chatIdOf, deliveryOf, markupOf } from "../call-parts.ts";
import type { MessageRow } from "../send-call.ts";
import { CannotSend } from "./cannot-send.ts";
import type { Content, MediaContent } from "./content.ts";
import { type InlineAnswer, inlineAnswerCall } from "./inline-answer.ts";
import { idsOfTarget } from "./target.ts";

/** Says a text in a call: under which names, and how it is marked up. */
export type SaysText = (message: MessageRow, as: "text" | "caption") => Record<string, unknown>;

interface Said {
  message: MessageRow;
  /** For each item of its media: what was downloaded; null where Telegram has it. */
  files: readonly (UploadFile | null)[];
  says: SaysText;
}

/** Bot API: the method that each content takes. Of an edit it depends on what is edited. */
export function contentMethod(
  content: Content,
  target: MessageRow["target"],
  text: string,
): string {
  switch (content.type) {
    case "photo":
      return "sendPhoto";
    case "document":
      return "sendDocument";
    case "album":
      return "sendMediaGroup";
    case "edit":
      if (text === "") return "editMessageReplyMarkup";
      return target?.type == null ? "editMessageText" : "editMessageCaption";
    case "delete":
      return (target?.ids.length ?? 1) > 1 ? "deleteMessages" : "deleteMessage";
    case "pin":
      return "pinChatMessage";
    case "unpin":
      return "unpinChatMessage";
    case "chat-action":
      return "sendChatAction";
    case "forward":
      return content.asCopy ? "copyMessage" : "forwardMessage";
    case "inline-answer":
      return "answerInlineQuery";
  }
}

/**
 * The call that a content is.
 *
 * @throws CannotSend where what it is about does not allow it
 */
export function contentCall(content: Content, said: Said): ApiCall {
  if (content.type === "inline-answer") return inlineAnswerCall(content);
  const message = whereItsTargetIs(said.message);
  const method = contentMethod(content, message.target, message.text);
  const fields = fieldsOf(content, { ...said, message });
  const payload = { chat_id: chatIdOf(message.chat_id), ...fields };
  if (content.type !== "delete" || !message.business_connection_id) return { method, payload };
  // Bot API: deleteBusinessMessages, which asks for no chat.
  const { business_connection_id } = message;
  const message_ids = idsOfDeleted(message);
  return { method: "deleteBusinessMessages", payload: { business_connection_id, message_ids } };
}

/** What changes another goes to the chat, and the account, that the other was sent to. */
function whereItsTargetIs(message: MessageRow): MessageRow {
  if (message.target === null) return message;
  const { chatId, businessConnectionId } = message.target;
  return { ...message, chat_id: chatId, business_connection_id: businessConnectionId };
}

/** What is about no chat is none of them. */
type ForChat = Exclude<Content, InlineAnswer>;

function fieldsOf(content: ForChat, { message, files, says }: Said): Record<string, unknown> {
  switch (content.type) {
    case "photo":
    case "document": {
      const file = fileOf(content, files[0]);
      const caption = says(message, "caption");
      return { [content.type]: file, ...caption, ...deliveryOf(message), ...markupOf(message) };
    }
    case "album": {
      const media = content.items.map((item, n) => ({
        type: item.type,
        media: fileOf(item, files[n]),
        // Telegram shows the first item's caption as the album's.
        ...(n === 0 ? says(message, "caption") : {}),
      }));
      return { media, ...deliveryOf(message) };
    }
    case "edit":
      return { ...editOf(message, says), ...accountOf(message), ...markupOf(message) };
    case "delete": {
      const ids = idsOfDeleted(message);
      return ids.length > 1 ? { message_ids: ids } : { message_id: ids[0] };
    }
    case "pin":
    case "unpin": {
      const silently = content.type === "pin" && message.silent;
      return {
        message_id: firstIdOf(message),
        ...accountOf(message),
        ...(silently ? { disable_notification: true } : {}),
      };
    }
    case "chat-action": {
      const thread = message.thread_id ? { message_thread_id: Number(message.thread_id) } : {};
      return { action: content.action, ...thread, ...accountOf(message) };
    }
    case "forward": {
      const from_chat_id = chatIdOf(content.fromChatId);
      const { business_connection_id: _none, reply_parameters, ...delivery } = deliveryOf(message);
      const reply = content.asCopy && reply_parameters ? { reply_parameters } : {};
      return { from_chat_id, message_id: Number(content.telegramMessageId), ...delivery, ...reply };
    }
  }
}

/** A notice that vanishes does so in its time, whatever of it is still to be sent. */
const idsOfDeleted = ({ target, kind }: MessageRow): number[] =>
  idsOfTarget(target, { partly: kind === "deletion" }).map(Number);

const firstIdOf = (message: MessageRow): number => Number(idsOfTarget(message.target)[0]);

/** Without a text only the buttons are new; without buttons the present ones go, as Telegram has it. */
function editOf(message: MessageRow, says: SaysText): Record<string, unknown> {
  const ids = idsOfTarget(message.target);
  const isText = message.target?.type == null;
  if (isText && ids.length > 1) {
    const words = "The message was sent in several parts, which cannot be edited as one.";
    throw new CannotSend("target-in-parts", words);
  }
  const text = message.text === "" ? {} : says(message, isText ? "text" : "caption");
  return { message_id: Number(ids[0]), ...text };
}

function fileOf({ file }: MediaContent, taken: UploadFile | null | undefined): UploadFile | string {
  if ("fileId" in file) return file.fileId;
  if (!taken) throw new Error("a file was not taken before its call");
  return taken;
}
