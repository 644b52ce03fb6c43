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
/** `requested` is ours: the person asked to join, and nobody has answered yet. */
export type MemberStatus = (typeof MEMBER_STATUSES)[number] | "requested";

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

/** Plain values of what Telegram reports; people, chats and messages by their ids. */
export type ServiceFact = string | number | boolean | Array<string | number | boolean>;

/** What Telegram reports in the form of a message, e.g. `{type: "new_chat_title", title: "Audit"}`. */
export interface Service {
  type: string;
  [fact: string]: ServiceFact;
}

/** One kind of reaction; `count` where Telegram tells totals only. */
export interface Reaction {
  type: "emoji" | "custom_emoji" | "paid";
  emoji?: string;
  customEmojiId?: string;
  count?: number;
}

export interface PollCounts {
  /** How many chose each option, in order. */
  votes: number[];
  voters: number;
  closed: boolean;
}

export interface Poll {
  id: string;
  question: string;
  options: string[];
  counts: PollCounts;
}

/** What a service message says about its forum topic; null: nothing. */
export interface TopicChange {
  name: string | null;
  closed: boolean | null;
  hidden: boolean | null;
  atS: number;
}

/** What an edit can change. */
export interface MessageContent {
  /**
   * `text`, the kind of the file, or the name of the field that makes the message what it is;
   * `service` for what Telegram reports.
   */
  kind: string;
  /** Text or caption; of a rich message and a checklist what they say, as plain text. */
  text: string | null;
  entities: MessageEntity[] | null;
  media: Media | null;
}

/** A place that somebody sent (Bot API: Location, Venue). */
export interface SentPlace {
  /** In degrees, −90 to 90. */
  latitude: number;
  /** In degrees, −180 to 180. */
  longitude: number;
  /** How far off it may be, in meters; null: nobody said. */
  accuracyM: number | null;
  /** It was to move for so long; null: it stands. */
  liveS: number | null;
  /** Of a venue. */
  title: string | null;
  address: string | null;
}

export interface TelegramMessage {
  chat: TelegramChat;
  messageId: string;
  from: TelegramUser | null;
  /** The chat in whose name it was written, when that is not its writer's own. */
  senderChatId: string | null;
  /** A channel's post, in the group where it is discussed. */
  isAutomaticForward: boolean;
  /** The token that `/start` brings, which is nowhere else in here. */
  startToken: string | null;
  /** Empty: not a business message. */
  businessConnectionId: string;
  sentAtS: number;
  editedAtS: number | null;
  /** As Telegram says it: a forum's topic, or the thread of replies in another supergroup. */
  threadId: string | null;
  isTopicMessage: boolean;
  /** A greeting, an away message or a scheduled one: nobody wrote it at that moment. */
  isFromOffline: boolean;
  mediaGroupId: string | null;
  replyToMessageId: string | null;
  /** Where it says a place is. */
  place: SentPlace | null;
  content: MessageContent;
  service: Service | null;
  poll: Poll | null;
  /** What it tells of its topic: itself, or by the message that its topic began with. */
  topic: TopicChange | null;
  pinnedMessageId: string | null;
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
      /** Of the message the button hangs on. */
      messageId: string | null;
    }
  /** What somebody types behind the bot's name, in whatever chat. */
  | { kind: "inline-query"; queryId: string; user: TelegramUser; query: string; offset: string }
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
  /** `chat_join_request`. */
  | { kind: "join-request"; chat: TelegramChat; user: TelegramUser; atS: number }
  | {
      kind: "reaction";
      chat: TelegramChat;
      messageId: string;
      /** Absent when a chat reacts, and for totals. */
      user: TelegramUser | null;
      /** The user's or the chat's id; "0": totals of anonymous reactions. */
      actorId: string;
      reactions: Reaction[];
      atS: number;
    }
  /** `poll`: the counts alone, as its question may be of a chat that nobody linked. */
  | { kind: "poll"; pollId: string; counts: PollCounts }
  | { kind: "poll-answer"; pollId: string; voterId: string; options: number[] }
  | {
      kind: "business-connection";
      connectionId: string;
      user: TelegramUser;
      userChatId: string;
      enabled: boolean;
      canReply: boolean;
      connectedAtS: number;
    }
  | {
      kind: "deletion";
      chat: TelegramChat;
      businessConnectionId: string;
      messageIds: string[];
    }
  /**
   * Unknown or without meaning for this room yet, or malformed: kept raw, acknowledged. `userId`:
   * whose doing it is, where it says so.
   */
  | { kind: "other"; userId?: string };
