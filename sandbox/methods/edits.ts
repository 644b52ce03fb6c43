import { unixTime } from "../core.ts";
import { badRequest } from "../errors.ts";
import { inlineMessage } from "../inline.ts";
import { postEdit, remove } from "../post.ts";
import type { MessageEntity, ReplyMarkup } from "../telegram-objects.ts";
import type { Chat, StoredMessage } from "../world.ts";
import { type Method, type MethodCall, numberParam, objectParam, stringParam } from "./call.ts";
import { captionText, messageText } from "./format.ts";
import { checkMarkup } from "./reply-markup.ts";
import { shownTo } from "./shown.ts";
import { chatFor, chatToSendTo } from "./target.ts";

/** Methods that change or delete messages. */

const deleteWithinS = 48 * 60 * 60;

const notModified =
  "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message";

function ownMessage(call: MethodCall): { chat: Chat; message: StoredMessage } {
  const inlineId = stringParam(call, "inline_message_id");
  if (inlineId !== undefined) {
    const found = inlineMessage(call.core, call.bot.id, inlineId);
    if (found === undefined) throw badRequest("MESSAGE_ID_INVALID");
    return found;
  }
  if (call.params.chat_id === undefined) throw badRequest("chat_id is empty");
  const chat = chatToSendTo(call);
  const messageId = numberParam(call, "message_id");
  if (messageId === undefined) throw badRequest("message identifier is not specified");
  const message = chat.messages.get(messageId);
  if (message === undefined) throw badRequest("message to edit not found");
  const own =
    message.from === call.bot.id || message.businessBot === call.bot.id || chat.type === "channel";
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
  // Of a message posted by a person, the bot is told only that it worked.
  if (message.viaBot !== undefined) return true;
  return shownTo(call, chat, message);
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
  if (!isDeletable(call, chat, message)) throw badRequest("message can't be deleted");
  remove(call.core, chat, message);
  return true;
};

/** One to a hundred at once; those that are not there, or may not go, are passed over. */
export const deleteMessages: Method = (call) => {
  const chat = chatFor(call.core, call.bot, call.params.chat_id);
  const ids = objectParam<number[]>(call, "message_ids") ?? [];
  if (ids.length === 0) throw badRequest("message identifiers are not specified");
  if (ids.length > 100) throw badRequest("too many message identifiers specified");
  for (const id of ids) {
    const message = chat.messages.get(id);
    if (message !== undefined && isDeletable(call, chat, message)) remove(call.core, chat, message);
  }
  return true;
};

function isDeletable(call: MethodCall, chat: Chat, message: StoredMessage): boolean {
  if (chat.members.get(call.bot.id) === "administrator") return true;
  const own = message.from === call.bot.id || chat.type === "private";
  return own && unixTime(call.core) - message.date <= deleteWithinS;
}
