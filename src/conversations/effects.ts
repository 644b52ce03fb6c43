import type { Refusal } from "../people/index.ts";
import type { ApprovalPress } from "./approval-press.ts";
import type { ChatRequest } from "./chat-request.ts";
import type { Reply } from "./reply.ts";
import type { SessionStep } from "./session-rule.ts";
import type { Side } from "./side.ts";
import type {
  MemberStatus,
  MessageContent,
  PollCounts,
  Reaction,
  Service,
  TelegramChat,
  TelegramUser,
  TopicChange,
} from "./telegram-types.ts";

/** Whose update it is: from the job's own row and payload, never from what the update says. */
export interface Scope {
  workspaceId: string;
  connectorId: string;
}

/** A message's identity at Telegram; the chat id is the one it was sent under. */
export interface MessageKey {
  scope: Scope;
  chatId: string;
  messageId: string;
  /** Empty: not a business message. */
  businessConnectionId: string;
}

export interface ConversationKey {
  scope: Scope;
  chatId: string;
  /** "0": no topic. */
  threadId: string;
  businessConnectionId: string;
}

/** One state of a message: as first sent (`versionAtS` 0) or as edited at that time. */
export interface MessageVersion {
  versionAtS: number;
  content: MessageContent;
}

export interface StoredMessage {
  key: MessageKey;
  conversation: ConversationKey;
  direction: "in" | "out";
  /** Whose word it is, for the support queue; null: nobody's. */
  side: Side | null;
  /** Telegram's id of the sender, when it is a user. */
  fromUserId: string | null;
  threadId: string | null;
  version: MessageVersion;
  service: Service | null;
  pollId: string | null;
  mediaGroupId: string | null;
  replyToMessageId: string | null;
  sentAtS: number;
  receivedAtMs: number;
  jobId: string | null;
  /** Its writer may not talk to this bot, and the connector keeps what such people say. */
  denied?: true;
}

/** What an update changes. Applied in order; each is complete in itself. */
export type Effect =
  /** A chat is new, or its details changed. */
  | { type: "chat-seen"; scope: Scope; chat: TelegramChat }
  /** The bot was let in, thrown out or blocked; `atS` is Telegram's time of it. */
  | { type: "chat-reachability"; scope: Scope; chatId: string; reachable: boolean; atS: number }
  /** A group became a supergroup: link, conversations and members go on under the new id. */
  | { type: "chat-migrated"; scope: Scope; fromChatId: string; toChatId: string }
  /** A person is new, or their details changed. */
  | { type: "contact-seen"; scope: Scope; user: TelegramUser; atMs: number }
  | {
      type: "member-changed";
      scope: Scope;
      chatId: string;
      userId: string;
      status: MemberStatus;
      sinceS: number;
    }
  | { type: "message-stored"; message: StoredMessage; contactUserId: string | null }
  /** `version` takes the place of `previous`, which goes into the history. */
  | {
      type: "message-edited";
      key: MessageKey;
      version: MessageVersion;
      previous: MessageVersion;
    }
  /** An older version that came late: history only. */
  | { type: "version-kept"; key: MessageKey; version: MessageVersion }
  /** `atMs` is when we heard of it: Telegram gives no time. */
  | { type: "message-deleted"; key: MessageKey; atMs: number }
  | { type: "message-pinned"; key: MessageKey; atS: number }
  /** All reactions of one actor to a message, in place of those before. */
  | {
      type: "reactions-changed";
      key: MessageKey;
      actorId: string;
      reactions: Reaction[];
      atS: number;
    }
  | { type: "topic-changed"; scope: Scope; chatId: string; threadId: string; change: TopicChange }
  /** `asked` is null where only the counts are known; `live` where they came alone. */
  | {
      type: "poll-counted";
      scope: Scope;
      pollId: string;
      asked: { question: string; options: string[] } | null;
      counts: PollCounts;
      live: boolean;
      atMs: number;
    }
  | {
      type: "poll-answered";
      scope: Scope;
      pollId: string;
      voterId: string;
      options: number[];
      atMs: number;
    }
  | {
      type: "business-connection-changed";
      scope: Scope;
      connectionId: string;
      userId: string;
      userChatId: string;
      enabled: boolean;
      canReply: boolean;
      connectedAtS: number;
      atMs: number;
    }
  | { type: "conversation-acknowledged"; conversation: ConversationKey; atMs: number }
  | { type: "session-moved"; conversation: ConversationKey; step: SessionStep }
  /** The account is asked whether it is the person of the link. */
  | { type: "person-link-offered"; scope: Scope; linkId: string; userId: string; atMs: number }
  | { type: "person-link-declined"; scope: Scope; linkId: string; userId: string }
  /** The account confirmed: it is that person, and the link is used up. */
  | {
      type: "person-bound";
      scope: Scope;
      linkId: string;
      personId: string;
      userId: string;
      atMs: number;
    }
  /** By a command in the group itself, of a person of the workspace. */
  | {
      type: "chat-link-changed";
      scope: Scope;
      chatId: string;
      linked: boolean;
      /** Null: as it is. */
      purpose: "support" | "compliance" | null;
      /** The code that is used up, as SHA-256 in hex. */
      codeHash: string | null;
      by: { userId: string; personId: string };
    }
  /** A person wants broadcasts, or none. */
  | { type: "broadcasts-allowed"; scope: Scope; chatId: string; allowed: boolean }
  /** What is remembered from now on of an account or a chat that was refused. */
  | { type: "refusal-noted"; scope: Scope; peerId: string; refusal: Refusal }
  /** What it means is decided elsewhere, in the same transaction. */
  | { type: "approval-pressed"; press: ApprovalPress }
  /** As are what it does and what is answered. */
  | { type: "chat-requested"; request: ChatRequest }
  /** The update's bytes are not kept. */
  | { type: "update-forgotten"; scope: Scope; jobId: string }
  | { type: "reply"; reply: Reply };
