import type {
  ChatType,
  DocumentFile,
  PhotoSize,
  ReplyMarkup,
  TelegramChat,
  TelegramMessage,
  TelegramPoll,
  TelegramUser,
} from "./telegram-objects.ts";
import type { Bot, Chat, Person, StoredFile, StoredMessage, StoredPoll, World } from "./world.ts";

/**
 * Stored things as the Bot API shows them to one viewer. A `file_id` belongs to the bot that sees
 * it: another bot cannot download with it, which is how Telegram has it.
 */

export function renderPerson(person: Person): TelegramUser {
  return {
    id: person.id,
    is_bot: false,
    first_name: person.firstName,
    ...(person.lastName !== undefined && { last_name: person.lastName }),
    ...(person.username !== undefined && { username: person.username }),
    language_code: person.languageCode ?? "en",
  };
}

export function renderBot(bot: Bot): TelegramUser {
  return {
    id: bot.id,
    is_bot: true,
    first_name: bot.texts.get("name:") ?? bot.name,
    username: bot.username,
  };
}

export function renderMember(world: World, id: number): TelegramUser {
  const bot = world.bots.get(id);
  return bot !== undefined ? renderBot(bot) : renderPerson(world.person(id));
}

export function renderChat(world: World, chat: Chat): TelegramChat {
  if (chat.type === "private") {
    const person = world.person(chat.id);
    return {
      id: chat.id,
      first_name: person.firstName,
      ...(person.lastName !== undefined && { last_name: person.lastName }),
      ...(person.username !== undefined && { username: person.username }),
      type: "private",
    };
  }
  return {
    id: chat.id,
    title: chat.title ?? "",
    ...(chat.username !== undefined && { username: chat.username }),
    type: chat.type,
    ...(chat.topics.size > 0 && { is_forum: true as const }),
  };
}

/** Viewer 0 is nobody's: what the record and the chat page show. */
export function fileIdFor(file: StoredFile, viewerId: number): string {
  return `BQAC${Buffer.from(`${file.key}.${viewerId}`).toString("base64url")}`;
}

/** The file key and viewer in a `file_id`; undefined when it is none. */
export function readFileId(fileId: string): { key: string; viewerId: number } | undefined {
  if (!fileId.startsWith("BQAC")) return undefined;
  const [key, viewer] = Buffer.from(fileId.slice(4), "base64url").toString("utf8").split(".");
  if (key === undefined || !/^\d+$/.test(key) || !/^\d+$/.test(viewer ?? "")) return undefined;
  return { key, viewerId: Number(viewer) };
}

function renderPhoto(file: StoredFile, viewerId: number): PhotoSize[] {
  return [
    {
      file_id: fileIdFor(file, viewerId),
      file_unique_id: file.uniqueId,
      file_size: file.sizeBytes,
      width: file.width ?? 0,
      height: file.height ?? 0,
    },
  ];
}

function renderDocument(file: StoredFile, viewerId: number): DocumentFile {
  return {
    ...(file.name !== undefined && { file_name: file.name }),
    mime_type: file.contentType,
    file_id: fileIdFor(file, viewerId),
    file_unique_id: file.uniqueId,
    file_size: file.sizeBytes,
  };
}

/** Bots see reply markup only where it is inline; a reply keyboard is for the person's app. */
function markupFor(markup: ReplyMarkup | undefined, viewerId: number): ReplyMarkup | undefined {
  if (markup === undefined || viewerId === 0) return markup;
  return markup.inline_keyboard !== undefined ? markup : undefined;
}

export function renderMessage(
  world: World,
  chat: Chat,
  message: StoredMessage,
  viewerId: number,
  withReply = true,
): TelegramMessage {
  const rendered: TelegramMessage = {
    message_id: message.id,
    date: message.date,
    chat: renderChat(world, chat),
  };
  if (message.from !== undefined) rendered.from = renderMember(world, message.from);
  else rendered.sender_chat = renderChat(world, chat);
  if (message.threadId !== undefined) {
    rendered.message_thread_id = message.threadId;
    if (chat.topics.has(message.threadId)) rendered.is_topic_message = true;
  }
  if (message.editDate !== undefined) rendered.edit_date = message.editDate;
  if (message.forwardedFrom !== undefined)
    rendered.forward_origin = renderOrigin(world, message.forwardedFrom);
  if (withReply && message.replyTo !== undefined) {
    const target = chat.messages.get(message.replyTo);
    if (target !== undefined)
      rendered.reply_to_message = renderMessage(world, chat, target, viewerId, false);
  }
  if (message.albumId !== undefined) rendered.media_group_id = message.albumId;
  if (message.text !== undefined) rendered.text = message.text;
  if (message.entities !== undefined && message.entities.length > 0)
    rendered.entities = message.entities;
  if (message.media?.kind === "photo") rendered.photo = renderPhoto(message.media.file, viewerId);
  if (message.media?.kind === "document")
    rendered.document = renderDocument(message.media.file, viewerId);
  if (message.caption !== undefined) rendered.caption = message.caption;
  if (message.captionEntities !== undefined && message.captionEntities.length > 0)
    rendered.caption_entities = message.captionEntities;
  if (message.contact !== undefined) rendered.contact = message.contact;
  if (message.poll !== undefined) rendered.poll = renderPoll(message.poll);
  if (message.viaBot !== undefined) rendered.via_bot = renderMember(world, message.viaBot);
  if (message.businessBot !== undefined)
    rendered.sender_business_bot = renderMember(world, message.businessBot);
  if (viewerId === 0 && message.reactions !== undefined && message.reactions.size > 0)
    rendered.shown_reactions = renderReactions(message.reactions);
  const markup = markupFor(message.replyMarkup, viewerId);
  if (markup !== undefined) rendered.reply_markup = markup;
  if (message.service !== undefined)
    renderService(world, chat, message.service, rendered, viewerId);
  return rendered;
}

/** Bot API: Poll. */
export function renderPoll(poll: StoredPoll): TelegramPoll {
  const votes = [...poll.votes.values()];
  return {
    id: poll.id,
    question: poll.question,
    options: poll.options.map(({ id, text }, index) => ({
      persistent_id: id,
      text,
      voter_count: votes.filter((chosen) => chosen.includes(index)).length,
    })),
    total_voter_count: votes.length,
    is_closed: poll.isClosed,
    is_anonymous: poll.isAnonymous,
    type: poll.correctOptionIds === undefined ? "regular" : "quiz",
    allows_multiple_answers: poll.allowsMultipleAnswers,
    allows_revoting: poll.correctOptionIds === undefined,
    members_only: false,
    // Telegram tells the answer only once it can no longer help.
    ...(poll.correctOptionIds !== undefined &&
      poll.isClosed && { correct_option_ids: poll.correctOptionIds }),
  };
}

function renderReactions(reactions: Map<number, string[]>): { emoji: string; userIds: number[] }[] {
  const byEmoji = new Map<string, number[]>();
  for (const [userId, emojis] of reactions)
    for (const emoji of emojis) byEmoji.set(emoji, [...(byEmoji.get(emoji) ?? []), userId]);
  return [...byEmoji].map(([emoji, userIds]) => ({ emoji, userIds }));
}

function renderService(
  world: World,
  chat: Chat,
  service: NonNullable<StoredMessage["service"]>,
  rendered: TelegramMessage,
  viewerId: number,
): void {
  switch (service.kind) {
    case "joined":
      rendered.new_chat_members = service.memberIds.map((id) => renderMember(world, id));
      break;
    case "left":
      rendered.left_chat_member = renderMember(world, service.memberId);
      break;
    case "created":
      rendered.group_chat_created = true;
      break;
    case "migratedTo":
      rendered.migrate_to_chat_id = service.chatId;
      break;
    case "migratedFrom":
      rendered.migrate_from_chat_id = service.chatId;
      break;
    case "topic":
      rendered.forum_topic_created = { name: service.name, icon_color: 7322096 };
      break;
    case "topicEdited":
      rendered.forum_topic_edited = { name: service.name };
      break;
    case "topicClosed":
      rendered.forum_topic_closed = {};
      break;
    case "topicReopened":
      rendered.forum_topic_reopened = {};
      break;
    case "pinned": {
      const pinned = chat.messages.get(service.messageId);
      if (pinned !== undefined)
        rendered.pinned_message = renderMessage(world, chat, pinned, viewerId, false);
      break;
    }
  }
}

function renderOrigin(
  world: World,
  origin: NonNullable<StoredMessage["forwardedFrom"]>,
): Record<string, unknown> {
  if (origin.userId !== undefined)
    return { type: "user", sender_user: renderMember(world, origin.userId), date: origin.date };
  return {
    type: "channel",
    chat: renderChat(world, world.group(origin.chatId ?? 0)),
    message_id: origin.messageId,
    date: origin.date,
  };
}

/** Words for a chat's type, as error texts use them. */
export function chatWords(type: ChatType): string {
  return type === "group"
    ? "group chat"
    : type === "supergroup"
      ? "supergroup chat"
      : `${type} chat`;
}
