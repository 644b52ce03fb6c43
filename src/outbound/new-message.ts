import type { JobId } from "../jobs/index.ts";
import type { Content } from "./content/index.ts";
import type { MessageEntity, TextFormat } from "./text/index.ts";

export const PRIORITIES = ["critical", "high", "medium", "low"] as const;
export type Priority = (typeof PRIORITIES)[number];

/** As jobs have them: 0 goes first. */
export const PRIORITY_NUMBERS: Record<Priority, number> = {
  critical: 0,
  high: 2,
  medium: 5,
  low: 8,
};

export const priorityNamed = (number: number): Priority =>
  PRIORITIES.find((name) => PRIORITY_NUMBERS[name] === number) ?? "medium";

export interface Button {
  text: string;
  /** Comes back when it is pressed: 1–64 bytes, forgeable. */
  data?: string;
  url?: string;
}

/** A message to be sent. Ids of Telegram are decimal strings; `chatId` may be a public `@name`. */
export interface NewMessage {
  /** Default: a new one. */
  id?: string;
  workspaceId: string;
  connectorId: string;
  chatId: string;
  threadId?: string | null;
  /** A business account's connection to the bot, which then writes in the account's name. */
  businessConnectionId?: string | null;
  /** Nobody wrote it: to whoever asked something it is no answer. */
  isAutomatic?: boolean;
  /** The text, or what a content takes of it: a caption, an edit's new text; empty where it has none. */
  text: string;
  /** Where it is more, or other, than a text. */
  content?: Content;
  format?: TextFormat;
  /** What marks the text up. Where given, the text is literal, whatever `format` says. */
  entities?: MessageEntity[];
  /** What is longer is sent in parts. In UTF-16 units; default 4,096, which is the most. */
  partLength?: number;
  priority?: Priority;
  buttons?: Button[][];
  replyTo?: string;
  sendAt?: Date;
  /** Not sent any more from this time on: a stale alert is worse than none. */
  expiresAt?: Date;
  /** Arrives without a sound. */
  isSilent?: boolean;
  /** Telegram lets nobody forward or save it. */
  isProtected?: boolean;
  /** Default: true, as Telegram does. */
  hasLinkPreview?: boolean;
  /** Deleted again so many seconds after it was sent. */
  deleteAfterS?: number;
  /** What to do when nobody knows whether it was sent. Default: resend for critical and high, hold otherwise. */
  onUnknown?: "resend" | "hold";
  /** Who submits it: `key:<id>` of an API key, or `bot`. */
  submittedBy?: string;
  broadcastId?: string;
  /** Somebody approved what it says: it goes out so, or not at all. */
  isApproved?: boolean;
  /** Which template its text was made of. */
  template?: { name: string; version: number };
  causeId?: JobId;
  /** Not shown in a conversation: it is said to somebody of whom nothing is stored. */
  isAside?: boolean;
  /** An answer to a pressed button instead of a message. */
  callbackQueryId?: string;
}

/** What each means and what to do about it: docs/outcomes.md. */
export const MESSAGE_STATES = [
  "awaiting_approval",
  "queued",
  "sending",
  "sent",
  "unknown",
  "failed",
  "rejected",
  "cancelled",
] as const;
export type MessageState = (typeof MESSAGE_STATES)[number];
