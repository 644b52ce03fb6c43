/**
 * The Bot API objects that the sandbox gives out, with the fields it fills. Names and meanings are
 * Telegram's (Bot API: Available types).
 */

export type ChatType = "private" | "group" | "supergroup" | "channel";
export type MemberStatus = "creator" | "administrator" | "member" | "left" | "kicked";

export interface TelegramUser {
  id: number;
  is_bot: boolean;
  first_name: string;
  last_name?: string;
  username?: string;
  language_code?: string;
}

export interface TelegramChat {
  id: number;
  type: ChatType;
  title?: string;
  username?: string;
  first_name?: string;
  last_name?: string;
  is_forum?: true;
}

/** Offsets and lengths count UTF-16 units. */
export interface MessageEntity {
  type: string;
  offset: number;
  length: number;
  url?: string;
  user?: TelegramUser;
  language?: string;
  custom_emoji_id?: string;
}

export interface PhotoSize {
  file_id: string;
  file_unique_id: string;
  width: number;
  height: number;
  file_size: number;
}

export interface DocumentFile {
  file_id: string;
  file_unique_id: string;
  file_name?: string;
  mime_type?: string;
  file_size: number;
}

export interface Contact {
  phone_number: string;
  first_name: string;
  last_name?: string;
  user_id?: number;
  vcard?: string;
}

export interface InlineKeyboardButton {
  text: string;
  callback_data?: string;
  url?: string;
  [action: string]: unknown;
}

/** Any of the four reply markups; which one shows by its field. */
export interface ReplyMarkup {
  inline_keyboard?: InlineKeyboardButton[][];
  keyboard?: (string | { text: string; [action: string]: unknown })[][];
  remove_keyboard?: true;
  force_reply?: true;
  [option: string]: unknown;
}

export interface TelegramMessage {
  message_id: number;
  message_thread_id?: number;
  is_topic_message?: true;
  from?: TelegramUser;
  sender_chat?: TelegramChat;
  date: number;
  edit_date?: number;
  chat: TelegramChat;
  text?: string;
  entities?: MessageEntity[];
  caption?: string;
  caption_entities?: MessageEntity[];
  photo?: PhotoSize[];
  document?: DocumentFile;
  contact?: Contact;
  poll?: TelegramPoll;
  via_bot?: TelegramUser;
  business_connection_id?: string;
  sender_business_bot?: TelegramUser;
  media_group_id?: string;
  reply_to_message?: TelegramMessage;
  reply_markup?: ReplyMarkup;
  forward_origin?: Record<string, unknown>;
  new_chat_members?: TelegramUser[];
  left_chat_member?: TelegramUser;
  group_chat_created?: true;
  migrate_to_chat_id?: number;
  migrate_from_chat_id?: number;
  forum_topic_created?: { name: string; icon_color: number };
  forum_topic_edited?: { name: string };
  forum_topic_closed?: Record<string, never>;
  forum_topic_reopened?: Record<string, never>;
  pinned_message?: TelegramMessage;
  /** Not in the Bot API: for the record and the chat page, who shows which emoji. */
  shown_reactions?: { emoji: string; userIds: number[] }[];
}

export interface TelegramPoll {
  id: string;
  question: string;
  options: { persistent_id: string; text: string; voter_count: number }[];
  total_voter_count: number;
  is_closed: boolean;
  is_anonymous: boolean;
  type: "regular" | "quiz";
  allows_multiple_answers: boolean;
  allows_revoting: boolean;
  members_only: boolean;
  correct_option_ids?: number[];
}

export interface BotCommand {
  command: string;
  description: string;
}

/** One update: its id and exactly one kind. */
export interface TelegramUpdate {
  update_id: number;
  [kind: string]: unknown;
}
