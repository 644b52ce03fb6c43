import { unixTime } from "../core.ts";
import { badRequest } from "../errors.ts";
import { postEdit, remove } from "../post.ts";
import { renderMessage } from "../render.ts";
import type { MessageEntity, ReplyMarkup } from "../telegram-objects.ts";
import type { Chat, StoredMessage } from "../world.ts";
import { type Method, type MethodCall, numberParam, objectParam, stringParam } from "./call.ts";
import { captionText, messageText } from "./format.ts";
import { checkMarkup } from "./reply-markup.ts";
import { chatFor, chatToSendTo } from "./target.ts";

/** Methods that change or delete messages. */

const deleteWithinS = 48 * 60 * 60;

const notModified =
  "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message";

function ownMessage(call: MethodCall): { chat: Chat; message: StoredMessage } {
  if (call.params.inline_message_id !== undefined)
    throw badRequest("the sandbox does not simulate inline messages");
  if (call.params.chat_id === undefined) throw badRequest("chat_id is empty");
  const chat = chatToSendTo(call.core, call.bot, call.params.chat_id);
  const messageId = numberParam(call, "message_id");
  if (messageId === undefined) throw badRequest("message identifier is not specified");
  const message = chat.messages.get(messageId);
  if (message === undefined) throw badRequest("message to edit not found");
  const own = message.from === call.bot.id || chat.type === "channel";
  if (!own || message.service !== undefined) throw badRequest("message can't be edited");
  return { chat, message };
}

/** Applies a change, refusing one that changes nothing, and gives the message as it is now. */
function change(
  call: MethodCall,
  chat: Chat,
  message: StoredMessage,
  changes: Partial<StoredMessage>,
) {
  const same = (Object.keys(changes) as (keyof StoredMessage)[]).every(
    (key) => JSON.stringify(message[key]) === JSON.stringify(changes[key]),
  );
  if (same) throw badRequest(notModified);
  Object.assign(message, changes, { editDate: unixTime(call.core) });
  postEdit(call.core, chat, message);
  return renderMessage(call.core.world, chat, message, call.bot.id);
}

/** Leaving the markup out takes the buttons away, as Telegram has it. */
function newMarkup(call: MethodCall, chat: Chat): Pick<StoredMessage, "replyMarkup"> {
  return { replyMarkup: checkMarkup(objectParam<ReplyMarkup>(call, "reply_markup"), chat) };
}

export const editMessageText: Method = (call) => {
  const { chat, message } = ownMessage(call);
  if (call.params.rich_message !== undefined)
    throw badRequest("the sandbox does not simulate rich messages");
  const { text, entities } = messageText(
    stringParam(call, "text") ?? "",
    stringParam(call, "parse_mode"),
    objectParam<MessageEntity[]>(call, "entities"),
  );
  if (message.text === undefined) throw badRequest("there is no text in the message to edit");
  return change(call, chat, message, { text, entities, ...newMarkup(call, chat) });
};

export const editMessageCaption: Method = (call) => {
  const { chat, message } = ownMessage(call);
  if (message.media === undefined) throw badRequest("there is no caption in the message to edit");
  const formatted = captionText(
    stringParam(call, "caption"),
    stringParam(call, "parse_mode"),
    objectParam<MessageEntity[]>(call, "caption_entities"),
  );
  return change(call, chat, message, {
    caption: formatted?.text,
    captionEntities: formatted?.entities,
    ...newMarkup(call, chat),
  });
};

export const editMessageReplyMarkup: Method = (call) => {
  const { chat, message } = ownMessage(call);
  return change(call, chat, message, newMarkup(call, chat));
};

/** Bot API: deleteMessage, with its limits: 48 hours, own messages, or rights of an administrator. */
export const deleteMessage: Method = (call) => {
  const chat = chatFor(call.core, call.bot, call.params.chat_id);
  const message = chat.messages.get(numberParam(call, "message_id") ?? -1);
  if (message === undefined) throw badRequest("message to delete not found");
  const administers = chat.members.get(call.bot.id) === "administrator";
  const own = message.from === call.bot.id || chat.type === "private";
  const old = unixTime(call.core) - message.date > deleteWithinS;
  if (!(administers || (own && !old))) throw badRequest("message can't be deleted");
  remove(call.core, chat, message);
  return true;
};
