/**
 * What of an update this room understands, as plain data. Ids are decimal strings, times seconds
 * since 1970 (the Bot API's own unit), texts storable (fields.ts).
 */

export const CHAT_TYPES = ["private", "group", "supergroup", "channel"] as const;
export type ChatType = (typeof CHAT_TYPES)[number];

export const MEMBER_STATUSES = [
  "creator",
  "administrator",
  "member",
  "restricted",
  "left",
  "kicked",
] as const;
export type MemberStatus = (typeof MEMBER_STATUSES)[number];

export interface TelegramUser {
  id: string;
  isBot: boolean;
  firstName: string;
  lastName: string | null;
  username: string | null;
  languageCode: string | null;
}

export interface TelegramChat {
  id: string;
  type: ChatType;
  /** Of a private chat: the person's name. */
  title: string | null;
  username: string | null;
  isForum: boolean;
}

/** The file of a message. What Telegram left out is absent. */
export interface Media {
  kind: string;
  fileId: string;
  fileUniqueId: string;
  name?: string;
  contentType?: string;
  sizeBytes?: number;
  width?: number;
  height?: number;
  durationS?: number;
}

/** `type`, `offset`, `length` in UTF-16 units, and what belongs to the type; users by id. */
export type MessageEntity = { [field: string]: string | number | boolean };

/** What an edit can change. */
export interface MessageContent {
  /** `text`, the kind of the file, or the name of the field that makes the message what it is. */
  kind: string;
  /** Text or caption. */
  text: string | null;
  entities: MessageEntity[] | null;
  media: Media | null;
}

export interface TelegramMessage {
  chat: TelegramChat;
  messageId: string;
  from: TelegramUser | null;
  /** Empty: not a business message. */
  businessConnectionId: string;
  sentAtS: number;
  editedAtS: number | null;
  /** As Telegram says it: a forum's topic, or the thread of replies in another supergroup. */
  threadId: string | null;
  isTopicMessage: boolean;
  mediaGroupId: string | null;
  replyToMessageId: string | null;
  content: MessageContent;
  joined: TelegramUser[];
  left: TelegramUser | null;
  migrateToChatId: string | null;
  migrateFromChatId: string | null;
}

export type Update =
  | { kind: "message"; edited: boolean; message: TelegramMessage }
  | {
      kind: "callback";
      queryId: string;
      user: TelegramUser;
      data: string | null;
      /** Absent when the button hangs on an inline message or one the bot cannot see. */
      chat: TelegramChat | null;
      threadId: string | null;
    }
  | {
      kind: "membership";
      /** True: it is the bot's own (`my_chat_member`). */
      own: boolean;
      chat: TelegramChat;
      user: TelegramUser;
      status: MemberStatus;
      isInside: boolean;
      atS: number;
    }
  /** Unknown or without meaning for this room yet, or malformed: kept raw, acknowledged. */
  | { kind: "other" };
