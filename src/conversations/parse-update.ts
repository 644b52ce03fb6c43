import {
  asFields,
  asFilledText,
  asId,
  asInteger,
  asList,
  asText,
  asTimeS,
  type Fields,
} from "./fields.ts";
import { parseContent } from "./parse-content.ts";
import {
  CHAT_TYPES,
  MEMBER_STATUSES,
  type TelegramChat,
  type TelegramMessage,
  type TelegramUser,
  type Update,
} from "./telegram-types.ts";

/**
 * The update kinds a bot of ours asks Telegram for (`allowed_updates` of setWebhook and
 * getUpdates), in the order in which `parseUpdate` looks for them. Those without a meaning yet are
 * kept raw; `chat_member` and the reactions come only when they are named.
 */
export const UPDATE_KINDS = [
  "message",
  "edited_message",
  "channel_post",
  "edited_channel_post",
  "business_message",
  "edited_business_message",
  "business_connection",
  "deleted_business_messages",
  "callback_query",
  "my_chat_member",
  "chat_member",
  "message_reaction",
  "message_reaction_count",
] as const;

const MESSAGE_KINDS: ReadonlyArray<{ name: string; edited: boolean }> = [
  { name: "message", edited: false },
  { name: "edited_message", edited: true },
  { name: "channel_post", edited: false },
  { name: "edited_channel_post", edited: true },
  { name: "business_message", edited: false },
  { name: "edited_business_message", edited: true },
];

const OTHER: Update = { kind: "other" };
/** Part of a key of an index; Telegram's are a few dozen characters. */
const MAX_BUSINESS_ID = 256;

/** Reads an update (Bot API: Update). Total: what it does not understand is `other`. */
export function parseUpdate(json: unknown): Update {
  const update = asFields(json);
  if (update === undefined) return OTHER;
  for (const { name, edited } of MESSAGE_KINDS) {
    if (update[name] === undefined) continue;
    const message = parseMessage(update[name]);
    return message ? { kind: "message", edited, message } : OTHER;
  }
  if (update.callback_query !== undefined) return parseCallback(update.callback_query);
  if (update.my_chat_member !== undefined) return parseMembership(update.my_chat_member, true);
  if (update.chat_member !== undefined) return parseMembership(update.chat_member, false);
  return OTHER;
}

/** Reads a message (Bot API: Message); undefined without number, date or chat. */
export function parseMessage(json: unknown): TelegramMessage | undefined {
  const message = asFields(json);
  if (message === undefined) return undefined;
  const chat = parseChat(message.chat);
  const messageId = asInteger(message.message_id);
  const sentAtS = asTimeS(message.date);
  if (chat === undefined || messageId === undefined || messageId < 0 || sentAtS === undefined) {
    return undefined;
  }
  const businessConnectionId = asText(message.business_connection_id) ?? "";
  if (businessConnectionId.length > MAX_BUSINESS_ID) return undefined;
  return {
    chat,
    messageId: String(messageId),
    from: parseUser(message.from) ?? null,
    businessConnectionId,
    sentAtS,
    editedAtS: asTimeS(message.edit_date) ?? null,
    threadId: asId(message.message_thread_id) ?? null,
    isTopicMessage: message.is_topic_message === true,
    mediaGroupId: asFilledText(message.media_group_id) ?? null,
    replyToMessageId: asId(asFields(message.reply_to_message)?.message_id) ?? null,
    content: parseContent(message),
    joined: asList(message.new_chat_members).flatMap((user) => parseUser(user) ?? []),
    left: parseUser(message.left_chat_member) ?? null,
    migrateToChatId: asId(message.migrate_to_chat_id) ?? null,
    migrateFromChatId: asId(message.migrate_from_chat_id) ?? null,
  };
}

function parseChat(json: unknown): TelegramChat | undefined {
  const chat = asFields(json);
  const id = asId(chat?.id);
  const type = CHAT_TYPES.find((known) => known === chat?.type);
  if (chat === undefined || id === undefined || type === undefined) return undefined;
  const title = type === "private" ? fullName(chat) : (asFilledText(chat.title) ?? null);
  const username = asFilledText(chat.username) ?? null;
  return { id, type, title, username, isForum: chat.is_forum === true };
}

function fullName(person: Fields): string | null {
  const names = [asFilledText(person.first_name), asFilledText(person.last_name)];
  return names.filter((name) => name !== undefined).join(" ") || null;
}

function parseUser(json: unknown): TelegramUser | undefined {
  const user = asFields(json);
  const id = asId(user?.id);
  if (user === undefined || id === undefined) return undefined;
  return {
    id,
    isBot: user.is_bot === true,
    firstName: asText(user.first_name) ?? "",
    lastName: asFilledText(user.last_name) ?? null,
    username: asFilledText(user.username) ?? null,
    languageCode: asFilledText(user.language_code) ?? null,
  };
}

/** Bot API: CallbackQuery. The message may be one the bot cannot see any more (date 0). */
function parseCallback(json: unknown): Update {
  const query = asFields(json);
  const queryId = asFilledText(query?.id);
  const user = parseUser(query?.from);
  if (query === undefined || queryId === undefined || user === undefined) return OTHER;
  const message = asFields(query.message);
  const inTopic = message?.is_topic_message === true;
  return {
    kind: "callback",
    queryId,
    user,
    data: asText(query.data) ?? null,
    chat: parseChat(message?.chat) ?? null,
    threadId: inTopic ? (asId(message.message_thread_id) ?? null) : null,
  };
}

/** Bot API: ChatMemberUpdated. */
function parseMembership(json: unknown, own: boolean): Update {
  const change = asFields(json);
  const chat = parseChat(change?.chat);
  const atS = asTimeS(change?.date);
  const member = asFields(change?.new_chat_member);
  const user = parseUser(member?.user);
  const status = MEMBER_STATUSES.find((known) => known === member?.status);
  if (!chat || atS === undefined || !user || status === undefined) return OTHER;
  const isOutside = status === "left" || status === "kicked" || member?.is_member === false;
  return { kind: "membership", own, chat, user, status, isInside: !isOutside, atS };
}
