import type { Clock } from "./clock.ts";
import type { DeliveryFaultAnswer, FaultAnswer } from "./faults.ts";
import type {
  Deletion,
  InlineQuestion,
  InlineResults,
  NewBusinessConnection,
  NewPoll,
  Pin,
  Reaction,
  Vote,
} from "./person-actions.ts";
import type { RateWindow } from "./rate-limit.ts";
import type { RecordView } from "./record.ts";
import type {
  ChatType,
  Contact,
  MemberStatus,
  TelegramMessage,
  TelegramUser,
} from "./telegram-objects.ts";

/** How many messages in how long; an empty list means no limit. */
export interface PaceLimits {
  /** Messages of one bot, all chats together. */
  bot: RateWindow[];
  /** The same for calls with `allow_paid_broadcast`. */
  paidBot: RateWindow[];
  /** Messages of one bot to one chat. */
  chat: RateWindow[];
  /** Messages of one bot to one group, supergroup or channel, besides `chat`. */
  group: RateWindow[];
}

/** What the sandbox allows and for how long. Documented starting values; all settable. */
export interface SandboxLimits extends PaceLimits {
  /** A call made during a hold moves its end by this much: sending on makes it longer. */
  violationPenaltyMs: number;
  /** Bot API: getFile refuses larger files. */
  downloadBytes: number;
  /** Bot API: largest file a bot may send. */
  uploadBytes: number;
  /** Bot API: largest photo a bot may send. */
  photoBytes: number;
  /** A callback query must be answered within this time. */
  callbackAnswerMs: number;
  /** An inline query must be answered within this time. */
  inlineAnswerMs: number;
  /** A webhook request without an answer is a failure after this time. */
  webhookTimeoutMs: number;
  /** Messages kept of each chat; the oldest go first. */
  messagesPerChat: number;
  /** Tokens first seen from one address in a minute before the next gets a 429; 0 is off. */
  newTokensPerMinute: number;
}

/**
 * Limits to change while the sandbox runs. With `botId` or `chatId` only paces, for that bot, that
 * chat, or that bot in that chat; null goes back to what is for all.
 */
export type NewLimits = Partial<Omit<SandboxLimits, keyof PaceLimits>> & {
  [Pace in keyof PaceLimits]?: RateWindow[] | null;
} & { botId?: number; chatId?: number };

export interface SandboxOptions {
  /** 0 (the default) takes any free port. */
  port?: number;
  /** Default 127.0.0.1. */
  host?: string;
  /** Where to keep everything between runs; files go to the folder `<stateFile>.files`. */
  stateFile?: string;
  limits?: Partial<SandboxLimits>;
  /**
   * As a Bot API server of one's own with `--local`: downloads without a limit, uploads to 2000 MB,
   * and `file_path` is where the file lies on this machine.
   */
  local?: boolean;
  clock?: Clock;
  /** Entries the record keeps; the oldest go first. Default 100 000. */
  recordLimit?: number;
  /** Every entry of the record is also appended here, as a line of JSON. */
  recordFile?: string;
}

export interface NewUser {
  firstName: string;
  lastName?: string;
  username?: string;
  /** What their app speaks, as an IETF tag. Default "en". */
  languageCode?: string;
  /** Taken as given, for tests that need a certain id; otherwise the next free one. */
  id?: number;
}

export interface NewBot {
  name: string;
  username: string;
  /** False (the default) is privacy mode. */
  canReadAllGroupMessages?: boolean;
  /** People can ask it `@username query` in any chat. Default false. */
  inline?: boolean;
  /** It hears which of its inline results was chosen. Default false. */
  inlineFeedback?: boolean;
  /** `<bot id>:<secret>`; made up when left out. */
  token?: string;
}

export interface BotAccount {
  id: number;
  token: string;
  name: string;
  username: string;
}

export interface NewChat {
  type: Exclude<ChatType, "private">;
  title: string;
  username?: string;
  /** Users and bots; the first user creates the chat. */
  memberIds: number[];
  /** Names of topics: makes the supergroup a forum. */
  topics?: string[];
}

export interface ChatInfo {
  id: number;
  type: ChatType;
  title: string;
  /** Topic name → `message_thread_id`. */
  topics: Record<string, number>;
}

/**
 * Where something happens. A group, supergroup or channel goes by its id; a private chat by the
 * user's id and, when there is more than one bot, `botId` (a bot's id as `chatId` will do too); a
 * chat of an account that a bot looks after by its connection and the customer's id.
 */
export interface Place {
  chatId: number;
  botId?: number;
  businessConnectionId?: string;
}

/** A file that a user sends. */
export interface Upload {
  name?: string;
  contentType?: string;
  content: Uint8Array;
}

export interface Send extends Place {
  /** Who sends: a user's id. */
  from: number;
  text?: string;
  photo?: Upload;
  document?: Upload;
  /** Two to ten; arrive as messages of their own with one `media_group_id`. */
  album?: { kind: "photo" | "document"; file: Upload; caption?: string }[];
  contact?: Contact;
  poll?: NewPoll;
  caption?: string;
  /** Message id in the same chat. */
  replyTo?: number;
  threadId?: number;
}

export interface Edit extends Place {
  from: number;
  messageId: number;
  /** New text, or new caption of a message with media. */
  text: string;
}

export interface PressButton extends Place {
  from: number;
  messageId: number;
  data: string;
  /** Sends `data` though no button carries it, as a forged client can. */
  forge?: boolean;
}

/** What all faults share. */
interface FaultCommon {
  botId?: number;
  chatId?: number;
  /** How many it strikes. Default 1, or without end when `probability` or `forMs` is given. */
  times?: number;
  /** Chance, 0 to 1, that it strikes what it matches. Default 1. */
  probability?: number;
  /** Draws that chance; the same seed strikes the same calls of the same sequence. */
  seed?: number;
  /** Ends by itself after this time. */
  forMs?: number;
  /** What is struck waits this long before anything is done. */
  latencyMs?: number;
}

/** Strikes calls of bots. Downloads of files are calls of a method named `file`. */
export interface CallFault extends FaultCommon {
  on?: "calls";
  method?: string;
  /** It is done at once, and answered this much later. */
  answerLatencyMs?: number;
  /** Left out: latency alone. */
  answer?: FaultAnswer;
}

/** Strikes tries to deliver an update to a webhook. */
export interface DeliveryFault extends FaultCommon {
  on: "deliveries";
  updateKind?: string;
  answerLatencyMs?: undefined;
  answer?: DeliveryFaultAnswer;
}

export type NewFault = CallFault | DeliveryFault;

/** Telegram out of reach, for one bot or for all. */
export interface NewOutage {
  botId?: number;
  /** What calls meet meanwhile; null leaves them alone. Default `reset-before-effect`. */
  calls?: FaultAnswer | null;
  /** Whether updates are held back, to be delivered all at once afterwards. Default true. */
  deliveries?: boolean;
  /** Ends by itself after this time; otherwise by `clear`. */
  forMs?: number;
}

export interface Outage {
  id: number;
  clear(): void;
}

export interface Fault {
  id: number;
  /** Calls it will still strike. */
  remaining: number;
  clear(): void;
}

export interface WebhookInfo {
  url: string;
  has_custom_certificate: false;
  pending_update_count: number;
  last_error_date?: number;
  last_error_message?: string;
  /** Where the webhook was last reached. */
  ip_address?: string;
  max_connections?: number;
  allowed_updates?: string[];
}

/** A running local Telegram. What people do is done here; what bots do comes over `url`. */
export interface Sandbox {
  /** Root of the Bot API, and of the chat page. */
  readonly url: string;
  readonly record: RecordView;

  createUser(user: NewUser): TelegramUser;
  createBot(bot: NewBot): BotAccount;
  /** Gives the bot a new token; the old one answers 401 from now on. */
  revokeToken(botId: number): BotAccount;
  createChat(chat: NewChat): ChatInfo;
  /** Adds a user or bot (a bot joins a channel as administrator), or changes its status. */
  addMember(chatId: number, memberId: number, status?: "member" | "administrator"): void;
  /** Takes a user or bot out: `left`, or `kicked` when it may not come back by itself. */
  removeMember(chatId: number, memberId: number, how?: "left" | "kicked"): void;
  memberStatus(chatId: number, memberId: number): MemberStatus;
  /** The user blocks the bot, or takes it back. */
  block(userId: number, botId: number): void;
  unblock(userId: number, botId: number): void;
  deactivateUser(userId: number): void;

  /** Rejects with a `SandboxError` when no such user could send there. */
  send(send: Send): Promise<TelegramMessage[]>;
  edit(edit: Edit): TelegramMessage;
  pressButton(press: PressButton): { callbackQueryId: string };
  /** Deletes a person's own messages; of that bots hear only in a business account. */
  deleteMessages(deletion: Deletion): void;
  react(reaction: Reaction): void;
  vote(vote: Vote): void;
  pin(pin: Pin): void;
  /** Asks a bot; what it answered before, and said may be kept, comes at once. */
  inlineQuery(question: InlineQuestion): InlineResults;
  inlineResults(inlineQueryId: string): InlineResults;
  /** Posts the result in the chat that was asked in, in the person's name, via the bot. */
  chooseInlineResult(inlineQueryId: string, resultId: string): TelegramMessage;
  /** Asks to be let into a group or channel; its administrators hear of it. */
  requestToJoin(chatId: number, userId: number): void;
  /** Lets a bot look after a user's account; gives the connection's id. */
  connectBusiness(connection: NewBusinessConnection): string;
  disconnectBusiness(connectionId: string): void;
  /** Upgrades a group to a supergroup: both service messages, and the new id. */
  migrate(chatId: number): number;
  /** Queues an update of a kind that has no action here; gives its `update_id`. */
  pushUpdate(botId: number, update: Record<string, unknown>): number;

  /** The chat as it stands, oldest message first. */
  messages(place: Place): TelegramMessage[];
  webhookInfo(botId: number): WebhookInfo;
  fault(fault: NewFault): Fault;
  /** Ends all faults and outages. */
  clearFaults(): void;
  outage(outage?: NewOutage): Outage;
  setLimits(limits: NewLimits): void;
  /** Resolves when `predicate` holds, looked at after each entry; rejects after `timeoutMs`. */
  waitFor(predicate: (record: RecordView) => boolean, timeoutMs?: number): Promise<void>;
  /** Stops deliveries, answers nobody any more, and writes the state file. */
  close(): Promise<void>;
}
