import { connectionIdFor } from "./business.ts";
import { type Core, unixTime } from "./core.ts";
import { detectEntities } from "./entities.ts";
import { SandboxError } from "./errors.ts";
import { readImage } from "./image-size.ts";
import { inlineMessageId } from "./inline.ts";
import type { Deletion } from "./person-actions.ts";
import { chatAt, memberChat, messageIn } from "./places.ts";
import { newPoll } from "./polls.ts";
import { type Draft, post, postEdit, remove } from "./post.ts";
import { renderMessage, renderPerson } from "./render.ts";
import type { Edit, Place, PressButton, Send, Upload } from "./sandbox-types.ts";
import type { InlineKeyboardButton, TelegramMessage } from "./telegram-objects.ts";
import { type Chat, isPresent, newId, type StoredFile, type StoredMessage } from "./world.ts";

/** What people do with their apps. Everything here fails with a `SandboxError` that says why. */

const textLimit = 4096;
const captionLimit = 1024;

function chatOfWriter(core: Core, place: Place, from: number): Chat {
  const chat = memberChat(core, place, from);
  if (chat.type === "channel" && chat.members.get(from) === "member")
    throw new SandboxError(`user ${from} may read channel ${chat.id}, not post in it`);
  return chat;
}

export async function send(core: Core, what: Send): Promise<TelegramMessage[]> {
  const chat = chatOfWriter(core, what, what.from);
  const drafts = draftsOf(core, chat, what);
  // A text is posted before anything is awaited: calls in a row arrive in a row.
  if (drafts.some((draft) => draft.upload !== undefined)) {
    for (const draft of drafts)
      if (draft.upload !== undefined)
        draft.message.media = {
          kind: draft.upload.kind,
          file: await storeFile(core, draft.upload.file, draft.upload.kind),
        };
  }
  if (chat.botId !== undefined) core.world.bot(chat.botId).contacts.set(what.from, "started");
  return drafts.map(({ message }) => renderMessage(core.world, chat, post(core, chat, message), 0));
}

interface PlannedMessage {
  message: Draft;
  upload?: { kind: "photo" | "document"; file: Upload };
}

function draftsOf(core: Core, chat: Chat, what: Send): PlannedMessage[] {
  if (what.threadId !== undefined && !chat.topics.has(what.threadId))
    throw new SandboxError(`chat ${chat.id} has no topic ${what.threadId}`);
  if (what.replyTo !== undefined && !chat.messages.has(what.replyTo))
    throw new SandboxError(`chat ${chat.id} has no message ${what.replyTo} to reply to`);
  if (chat.botId !== undefined && core.world.bot(chat.botId).contacts.get(what.from) === "blocked")
    throw new SandboxError(`user ${what.from} has blocked bot ${chat.botId}`);
  const common: Draft = {
    ...(chat.type !== "channel" && { from: what.from }),
    ...(what.threadId !== undefined && { threadId: what.threadId }),
    ...(what.replyTo !== undefined && { replyTo: what.replyTo }),
  };
  if (what.threadId !== undefined && chat.closedTopics?.includes(what.threadId))
    throw new SandboxError(`topic ${what.threadId} of chat ${chat.id} is closed`);
  const { text, photo, document, album, contact, poll } = what;
  const kinds = [text, photo, document, album, contact, poll].filter((part) => part !== undefined);
  if (kinds.length !== 1)
    throw new SandboxError("a message is one of: text, photo, document, album, contact, poll");
  if (poll !== undefined) {
    if (poll.options.length < 2 || poll.options.length > 12)
      throw new SandboxError("a poll has 2 to 12 options");
    return [{ message: { ...common, poll: newPoll(poll) } }];
  }
  if (what.text !== undefined) return [{ message: { ...common, ...written(what.text) } }];
  if (what.contact !== undefined) return [{ message: { ...common, contact: what.contact } }];
  if (what.album !== undefined) {
    if (what.album.length < 2 || what.album.length > 10)
      throw new SandboxError("an album has 2 to 10 items");
    const albumId = newId();
    return what.album.map(({ kind, file, caption }) => ({
      message: { ...common, albumId, ...captioned(caption) },
      upload: { kind, file },
    }));
  }
  const file = what.photo ?? what.document;
  if (file === undefined) throw new SandboxError("there is no file");
  return [
    {
      message: { ...common, ...captioned(what.caption) },
      upload: { kind: what.photo !== undefined ? "photo" : "document", file },
    },
  ];
}

/** Text as an app sends it: an app splits what is too long, so here it is refused. */
function written(text: string): Pick<Draft, "text" | "entities"> {
  if (text.trim() === "") throw new SandboxError("a message needs text");
  if (text.length > textLimit) throw new SandboxError(`a text has at most ${textLimit} characters`);
  const trimmed = text.trim();
  return { text: trimmed, entities: detectEntities(trimmed) };
}

function captioned(caption: string | undefined): Pick<Draft, "caption" | "captionEntities"> {
  const text = caption?.trim() ?? "";
  if (text === "") return {};
  if (text.length > captionLimit)
    throw new SandboxError(`a caption has at most ${captionLimit} characters`);
  return { caption: text, captionEntities: detectEntities(text) };
}

/** Keeps a file's content and what is known of it. */
export async function storeFile(
  core: Core,
  upload: Upload,
  kind: "photo" | "document",
): Promise<StoredFile> {
  if (upload.content.length === 0) throw new SandboxError("a file must not be empty");
  const image = readImage(upload.content);
  if (kind === "photo" && image === undefined)
    throw new SandboxError("a photo must be a PNG, JPEG, GIF or WebP image");
  const key = String(core.world.next.file++);
  await core.files.put(key, upload.content);
  const file: StoredFile = {
    key,
    uniqueId: `AQAD${Buffer.from(key.padStart(8, "0")).toString("base64url")}`,
    contentType: image?.contentType ?? (upload.contentType || "application/octet-stream"),
    sizeBytes: upload.content.length,
    ...(kind === "document" && upload.name !== undefined && { name: upload.name }),
    ...(image !== undefined && { width: image.width, height: image.height }),
  };
  core.fileIndex.set(key, file);
  return file;
}

export function edit(core: Core, what: Edit): TelegramMessage {
  const chat = chatOfWriter(core, what, what.from);
  const message = messageIn(chat, what.messageId);
  if (chat.type !== "channel" && message.from !== what.from)
    throw new SandboxError(`message ${message.id} is not user ${what.from}'s own`);
  if (message.text !== undefined) Object.assign(message, written(what.text));
  else if (message.media !== undefined) Object.assign(message, captioned(what.text));
  else throw new SandboxError(`message ${message.id} has no text to edit`);
  message.editDate = unixTime(core);
  postEdit(core, chat, message);
  return renderMessage(core.world, chat, message, 0);
}

export function pressButton(core: Core, press: PressButton): { callbackQueryId: string } {
  const { world } = core;
  const person = world.person(press.from);
  const chat = chatAt(core, press, press.from);
  if (!isPresent(chat.members.get(press.from)))
    throw new SandboxError(`user ${press.from} is not a member of chat ${chat.id}`);
  const message = messageIn(chat, press.messageId);
  const botId = message.viaBot ?? message.businessBot ?? message.from ?? firstBotOf(core, chat);
  if (botId === undefined || !world.bots.has(botId))
    throw new SandboxError(`message ${message.id} is not a bot's`);
  const size = Buffer.byteLength(press.data);
  if (size < 1 || size > 64) throw new SandboxError("callback data has 1 to 64 bytes");
  if (!press.forge && findButton(message, press.data) === undefined)
    throw new SandboxError(`message ${message.id} has no button with this data`);
  const id = newId();
  core.callbacks.add(
    { id, userId: person.id, botId, atMs: core.clock.now() },
    core.limits.callbackAnswerMs,
  );
  core.updatesOf(botId).push({
    callback_query: {
      id,
      from: renderPerson(person),
      // A message posted by a person via a bot is not the bot's to see: only its name is.
      ...(message.viaBot !== undefined
        ? { inline_message_id: inlineMessageId(chat, message) }
        : { message: messageFor(core, chat, message, botId) }),
      chat_instance: chatInstance(chat, botId),
      data: press.data,
    },
  });
  return { callbackQueryId: id };
}

function messageFor(core: Core, chat: Chat, message: StoredMessage, botId: number) {
  const connectionId = connectionIdFor(core, chat, botId);
  return {
    ...renderMessage(core.world, chat, message, botId),
    ...(connectionId !== undefined && { business_connection_id: connectionId }),
  };
}

/** Deletes one's own messages; in a private chat, the other's too. */
export function deleteMessages(core: Core, deletion: Deletion): void {
  const chat = memberChat(core, deletion, deletion.from);
  const messages = deletion.messageIds.map((id) => messageIn(chat, id));
  const foreign = messages.find(({ from }) => from !== deletion.from);
  if (foreign !== undefined && chat.type !== "private" && !administers(chat, deletion.from))
    throw new SandboxError(`message ${foreign.id} is not user ${deletion.from}'s own`);
  remove(core, chat, ...messages);
}

function administers(chat: Chat, userId: number): boolean {
  const status = chat.members.get(userId);
  return status === "creator" || status === "administrator";
}

function findButton(message: StoredMessage, data: string): InlineKeyboardButton | undefined {
  return message.replyMarkup?.inline_keyboard
    ?.flat()
    .find((button) => button.callback_data === data);
}

/** In a channel a post shows no author; its bot is the one that is there. */
function firstBotOf(core: Core, chat: Chat): number | undefined {
  for (const [id, status] of chat.members)
    if (isPresent(status) && core.world.bots.has(id)) return id;
  return undefined;
}

/** Bot API: CallbackQuery.chat_instance, the same for one chat and bot. */
function chatInstance(chat: Chat, botId: number): string {
  return String(BigInt.asUintN(63, BigInt(chat.id) * 1_000_003n + BigInt(botId)));
}
