import type { TelegramUpdate } from "./telegram-objects.ts";

/**
 * What an update's kind decides: the internal queue it is delivered in, how long it lives, and
 * whether a bot gets it at all. Rules of telegram-bot-api's webhook side, as pure functions.
 */

const secondMs = 1000;
const dayMs = 24 * 60 * 60 * secondMs;

/** Kinds left out unless `allowed_updates` names them (Bot API: setWebhook). */
const leftOutByDefault = new Set(["chat_member", "message_reaction", "message_reaction_count"]);

/** The one field of an update besides its id. */
export function kindOf(update: Record<string, unknown>): string {
  for (const key in update) if (key !== "update_id") return key;
  return "";
}

/** How long an update waits for its bot before Telegram drops it. */
export function lifetimeMs(kind: string): number {
  switch (kind) {
    case "callback_query":
    case "shipping_query":
    case "pre_checkout_query":
      return 150 * secondMs;
    case "inline_query":
      return 30 * secondMs;
    case "chosen_inline_result":
      return 600 * secondMs;
    default:
      return dayMs;
  }
}

interface Body {
  chat?: { id?: number };
  from?: { id?: number };
  user?: { id?: number };
  message?: { chat?: { id?: number }; message_id?: number };
  new_chat_member?: { user?: { id?: number } };
  message_id?: number;
  poll_id?: string;
  id?: string | number;
}

/**
 * The internal queue: one update of a queue is in flight at a time. Messages and their edits go by
 * chat, queries by user, polls by poll; a bot's own membership goes by chat and everybody else's by
 * member, reactions and their counts each by chat, business messages by chat and apart from the
 * chat's others. What has no rule shares a queue with nothing (telegram-bot-api, Client).
 */
export function queueOf(update: TelegramUpdate): string {
  const kind = kindOf(update);
  const body = (update[kind] ?? {}) as Body;
  switch (kind) {
    case "message":
    case "edited_message":
    case "channel_post":
    case "edited_channel_post":
      return `chat:${body.chat?.id}`;
    case "callback_query":
      return `callback:${body.from?.id}`;
    case "inline_query":
    case "chosen_inline_result":
      return `${kind}:${body.from?.id}`;
    case "shipping_query":
    case "pre_checkout_query":
      return `payment:${body.from?.id}`;
    case "poll":
      return `poll:${body.id}`;
    case "poll_answer":
      return `poll:${body.poll_id}`;
    case "my_chat_member":
      return `my_chat_member:${body.chat?.id}`;
    case "chat_member":
      return `member:${body.new_chat_member?.user?.id}`;
    case "chat_join_request":
      return `member:${body.from?.id}`;
    case "chat_boost":
    case "removed_chat_boost":
      return `boost:${body.chat?.id}`;
    case "message_reaction":
    case "message_reaction_count":
      return `${kind}:${body.chat?.id}`;
    case "business_connection":
      return `business_connection:${body.user?.id}`;
    case "business_message":
    case "edited_business_message":
    case "deleted_business_messages":
      return `business:${body.chat?.id}`;
    default:
      return `alone:${update.update_id}`;
  }
}

/** Where an update happened and who did it, as far as its kind says so. */
export function aboutUpdate(update: TelegramUpdate): {
  chatId?: number;
  messageId?: number;
  userId?: number;
} {
  const body = (update[kindOf(update)] ?? {}) as Body;
  const chatId = body.chat?.id ?? body.message?.chat?.id;
  const messageId = body.message_id ?? body.message?.message_id;
  const userId = body.from?.id ?? body.user?.id;
  return {
    ...(chatId !== undefined && { chatId }),
    ...(messageId !== undefined && { messageId }),
    ...(userId !== undefined && { userId }),
  };
}

/** Whether a bot that asked for `allowed` gets this kind. Null is a bot that never said. */
export function isAllowed(kind: string, allowed: readonly string[] | null): boolean {
  if (allowed === null || allowed.length === 0) return !leftOutByDefault.has(kind);
  return allowed.includes(kind);
}
