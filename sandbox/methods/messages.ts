import { badRequest, PartlyDone } from "../errors.ts";
import { copyOfPoll } from "../polls.ts";
import { type Draft, post } from "../post.ts";
import type { MessageEntity } from "../telegram-objects.ts";
import type { Chat, StoredMessage } from "../world.ts";
import {
  type Method,
  type MethodCall,
  meter,
  numberParam,
  objectParam,
  stringParam,
} from "./call.ts";
import { captionText, messageText } from "./format.ts";
import { inputFile, inputMedia } from "./input-file.ts";
import { common, deliver } from "./new-message.ts";
import { chatFor, chatToSendTo } from "./target.ts";

/** Methods that make messages appear. */

function caption(call: MethodCall): Pick<Draft, "caption" | "captionEntities"> {
  const formatted = captionText(
    stringParam(call, "caption"),
    stringParam(call, "parse_mode"),
    objectParam<MessageEntity[]>(call, "caption_entities"),
  );
  return formatted === undefined
    ? {}
    : { caption: formatted.text, captionEntities: formatted.entities };
}

export const sendMessage: Method = (call) => {
  const chat = chatToSendTo(call);
  const { text, entities } = messageText(
    stringParam(call, "text") ?? "",
    stringParam(call, "parse_mode"),
    objectParam<MessageEntity[]>(call, "entities"),
  );
  const draft = { ...common(call, chat), text, entities };
  meter(call, chat);
  return deliver(call, chat, draft);
};

function sendFile(kind: "photo" | "document"): Method {
  return async (call) => {
    const chat = chatToSendTo(call);
    const draft = { ...common(call, chat), ...caption(call) };
    const file = await inputFile(call, kind, stringParam(call, kind) ?? "");
    meter(call, chat);
    return deliver(call, chat, { ...draft, media: { kind, file } });
  };
}

export const sendPhoto = sendFile("photo");
export const sendDocument = sendFile("document");

/** Counts as many messages as it has items, since that is how many appear. */
export const sendMediaGroup: Method = async (call) => {
  const chat = chatToSendTo(call);
  const draft = common(call, chat);
  const items = await inputMedia(call);
  meter(call, chat, items.length);
  const albumId = `${call.core.clock.now()}${String(items[0]?.file.key ?? 0).padStart(6, "0")}`;
  const { albumFault } = call;
  const sent = items.slice(0, albumFault?.albumStopsAfter).map(({ kind, file, formatted }) =>
    deliver(call, chat, {
      ...draft,
      albumId,
      media: { kind, file },
      ...(formatted !== undefined && {
        caption: formatted.text,
        captionEntities: formatted.entities,
      }),
    }),
  );
  // Seen in the wild: part of the album is there, and the bot is not told which.
  if (albumFault !== undefined && sent.length < items.length)
    throw new PartlyDone(
      `failed to send message #${sent.length + 1} with the error message "Too Many Requests: retry after ${albumFault.retryAfterS}"`,
      sent,
    );
  return sent;
};

/** The message that is to be copied or forwarded. */
function source(call: MethodCall): { chat: Chat; message: StoredMessage } {
  const chat = chatFor(call.core, call.bot, call.params.from_chat_id);
  const message = chat.messages.get(numberParam(call, "message_id") ?? -1);
  if (message === undefined) throw badRequest("message to copy not found");
  if (message.service !== undefined) throw badRequest("message can't be copied");
  return { chat, message };
}

export const copyMessage: Method = (call) => {
  const chat = chatToSendTo(call);
  const { message } = source(call);
  const newCaption = call.params.caption === undefined ? undefined : caption(call);
  const copied: Draft = {
    ...common(call, chat),
    ...(message.text !== undefined && { text: message.text, entities: message.entities }),
    ...(message.media !== undefined && { media: message.media }),
    ...(message.contact !== undefined && { contact: message.contact }),
    ...(message.poll !== undefined && { poll: copyOfPoll(message.poll) }),
    ...(newCaption ?? {
      ...(message.caption !== undefined && {
        caption: message.caption,
        captionEntities: message.captionEntities,
      }),
    }),
  };
  meter(call, chat);
  return { message_id: post(call.core, chat, copied).id };
};

export const forwardMessage: Method = (call) => {
  const chat = chatToSendTo(call);
  const { chat: fromChat, message } = source(call);
  const {
    id,
    date,
    replyMarkup: _buttons,
    replyTo: _reply,
    threadId: _thread,
    albumId: _album,
    reactions: _reactions,
    ...content
  } = message;
  const origin = message.forwardedFrom ?? {
    ...(message.from !== undefined ? { userId: message.from } : { chatId: fromChat.id }),
    messageId: id,
    date,
  };
  meter(call, chat);
  return deliver(call, chat, { ...content, ...common(call, chat), forwardedFrom: origin });
};

const chatActions = new Set(
  "typing upload_photo record_video upload_video record_voice upload_voice upload_document choose_sticker find_location record_video_note upload_video_note".split(
    " ",
  ),
);

/** Shown on the chat page; nothing is kept of it. */
export const sendChatAction: Method = (call) => {
  const chat = chatToSendTo(call);
  const action = stringParam(call, "action") ?? "";
  if (!chatActions.has(action)) throw badRequest("wrong parameter action in request");
  call.core.record.add({
    kind: "chatAction",
    botId: call.bot.id,
    chatId: chat.id,
    action,
  });
  return true;
};
