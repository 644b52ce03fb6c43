import { randomBytes, randomInt } from "node:crypto";
import { SandboxError } from "./errors.ts";
import type {
  BotCommand,
  ChatType,
  Contact,
  MemberStatus,
  MessageEntity,
  ReplyMarkup,
} from "./telegram-objects.ts";
import type { WebhookSettings } from "./webhook-delivery.ts";

/**
 * Everything that is: people, bots, chats and their messages, as plain data that a snapshot can
 * hold. It answers look-ups and hands out ids; what may happen to it is decided elsewhere.
 */

export interface Person {
  id: number;
  firstName: string;
  lastName?: string;
  username?: string;
  /** Absent: "en". */
  languageCode?: string;
  deactivated: boolean;
}

export interface Bot {
  id: number;
  token: string;
  name: string;
  username: string;
  canReadAllGroupMessages: boolean;
  /** Whether people can ask it `@username query` in any chat. */
  inline?: boolean;
  /** Whether it hears which of its results was chosen. */
  inlineFeedback?: boolean;
  /** Users who have written to the bot, and what became of it. */
  contacts: Map<number, "started" | "blocked">;
  nextUpdateId: number;
  /** When the last update came to be. */
  lastUpdateAtMs?: number;
  /** A bot's private chats share one sequence of message ids, as its account's do. */
  nextMessageId: number;
  webhook: WebhookSettings | null;
  /** Null until the bot first says what it wants. */
  allowedUpdates: string[] | null;
  /** Where the webhook was last reached. */
  webhookAddress?: string;
  lastErrorAt?: number;
  lastErrorMessage?: string;
  /** Commands by scope and language, descriptions and names by field and language. */
  commands: Map<string, BotCommand[]>;
  texts: Map<string, string>;
}

export interface StoredFile {
  key: string;
  /** Bot API: `file_unique_id`. */
  uniqueId: string;
  name?: string;
  contentType: string;
  sizeBytes: number;
  width?: number;
  height?: number;
}

/** A poll as it stands. */
export interface StoredPoll {
  id: string;
  question: string;
  options: { id: string; text: string }[];
  isAnonymous: boolean;
  allowsMultipleAnswers: boolean;
  /** Set in a quiz. */
  correctOptionIds?: number[];
  isClosed: boolean;
  /** Who voted for which positions. */
  votes: Map<number, number[]>;
}

/** A user's account that a bot looks after (Bot API: BusinessConnection). */
export interface BusinessConnection {
  id: string;
  userId: number;
  botId: number;
  date: number;
  isEnabled: boolean;
  canReply: boolean;
}

export interface StoredMessage {
  id: number;
  /** Seconds since 1970. */
  date: number;
  editDate?: number;
  /** A user's or bot's id; absent in a channel, where the channel itself posts. */
  from?: number;
  text?: string;
  entities?: MessageEntity[];
  caption?: string;
  captionEntities?: MessageEntity[];
  media?: { kind: "photo" | "document"; file: StoredFile };
  contact?: Contact;
  poll?: StoredPoll;
  albumId?: string;
  threadId?: number;
  replyTo?: number;
  replyMarkup?: ReplyMarkup;
  /** The bot whose inline result this is. */
  viaBot?: number;
  /** The bot that wrote it in a business account's name. */
  businessBot?: number;
  /** Emojis by who shows them. */
  reactions?: Map<number, string[]>;
  forwardedFrom?: { userId?: number; chatId?: number; messageId: number; date: number };
  service?:
    | { kind: "joined"; memberIds: number[] }
    | { kind: "left"; memberId: number }
    | { kind: "created" }
    | { kind: "migratedTo"; chatId: number }
    | { kind: "migratedFrom"; chatId: number }
    | { kind: "topic"; name: string }
    | { kind: "topicEdited"; name: string }
    | { kind: "topicClosed" }
    | { kind: "topicReopened" }
    | { kind: "pinned"; messageId: number };
}

export interface Chat {
  /** Unique among all; a private chat's has its bot in it. */
  key: string;
  /** As Telegram names it: the user's id in a private chat. */
  id: number;
  type: ChatType;
  /** Of a private chat. */
  botId?: number;
  title?: string;
  username?: string;
  members: Map<number, MemberStatus>;
  messages: Map<number, StoredMessage>;
  nextMessageId: number;
  /** Thread id → name; a chat with topics is a forum. */
  topics: Map<number, string>;
  closedTopics?: number[];
  /** Newest last. */
  pinned?: number[];
  /** Who asks to be let in, and since when. */
  joinRequests?: Map<number, number>;
  /** Of a private chat between two people: whose account a bot may look after. */
  businessUserId?: number;
  migratedTo?: number;
}

/** Beyond 32 bits, so that code which narrows ids fails here and not in production. */
const firstUserId = 5_000_000_001;
const firstBotId = 7_000_000_001;
const firstGroupId = -4_000_000_001;
const firstChannelId = -1_002_000_000_001;

export class World {
  readonly people = new Map<number, Person>();
  readonly bots = new Map<number, Bot>();
  readonly chats = new Map<string, Chat>();
  readonly businessConnections = new Map<string, BusinessConnection>();
  readonly #botsByToken = new Map<string, Bot>();
  next = {
    user: firstUserId,
    bot: firstBotId,
    group: firstGroupId,
    channel: firstChannelId,
    file: 1,
  };

  addBot(bot: Bot): void {
    this.bots.set(bot.id, bot);
    this.#botsByToken.set(bot.token, bot);
  }

  botByToken(token: string): Bot | undefined {
    return this.#botsByToken.get(token);
  }

  replaceToken(bot: Bot, token: string): void {
    this.#botsByToken.delete(bot.token);
    bot.token = token;
    this.#botsByToken.set(token, bot);
  }

  /** @throws SandboxError 404 */
  person(id: number): Person {
    const person = this.people.get(id);
    if (person === undefined) throw new SandboxError(`no user ${id}`, 404);
    return person;
  }

  /** @throws SandboxError 404 */
  bot(id: number): Bot {
    const bot = this.bots.get(id);
    if (bot === undefined) throw new SandboxError(`no bot ${id}`, 404);
    return bot;
  }

  /** A group, supergroup or channel. @throws SandboxError 404 */
  group(id: number): Chat {
    const chat = this.chats.get(String(id));
    if (chat === undefined) throw new SandboxError(`no group, supergroup or channel ${id}`, 404);
    return chat;
  }

  privateChat(userId: number, botId: number): Chat | undefined {
    return this.chats.get(privateKey(userId, botId));
  }

  /** The private chat of a user and a bot, made when they first meet. */
  openPrivateChat(userId: number, botId: number): Chat {
    const key = privateKey(userId, botId);
    let chat = this.chats.get(key);
    if (chat === undefined) {
      chat = newChat({ key, id: userId, type: "private", botId });
      chat.members.set(userId, "member");
      chat.members.set(botId, "member");
      this.chats.set(key, chat);
    }
    return chat;
  }

  /** A chat by `@username` (Bot API: chat_id). */
  byUsername(username: string): Chat | undefined {
    const wanted = username.toLowerCase();
    for (const chat of this.chats.values())
      if (chat.username?.toLowerCase() === wanted) return chat;
    return undefined;
  }

  /** Message ids of private chats are the bot's; those of groups and channels their own. */
  takeMessageId(chat: Chat): number {
    if (chat.botId === undefined) return chat.nextMessageId++;
    return this.bot(chat.botId).nextMessageId++;
  }
}

export function privateKey(userId: number, botId: number): string {
  return `${userId}:${botId}`;
}

export function newChat(chat: Pick<Chat, "key" | "id" | "type"> & Partial<Chat>): Chat {
  return {
    members: new Map(),
    messages: new Map(),
    nextMessageId: 1,
    topics: new Map(),
    ...chat,
  };
}

export function isPresent(status: MemberStatus | undefined): boolean {
  return status === "creator" || status === "administrator" || status === "member";
}

/** Where a bot's update ids begin, and begin again after a week of silence. */
export function firstUpdateId(): number {
  return randomInt(100_000_000, 900_000_000);
}

/** A bot token's second half, in Telegram's form: 35 characters. */
export function newTokenSecret(): string {
  return `AA${randomBytes(25).toString("base64url").slice(0, 33)}`;
}

/** A 64-bit number as a string, as callback queries and albums carry it. */
export function newId(): string {
  return `${randomInt(1, 2 ** 47)}${randomInt(10_000, 99_999)}`;
}
