import { findStartToken, withoutStartTokens } from "../people/index.ts";
import { parseCommand } from "./command.ts";
import { asCount, asFields, asFilledText, asId, asList, asText, asTimeS } from "./fields.ts";
import { parseContent } from "./parse-content.ts";
import {
  asKey,
  parseBusinessConnection,
  parseDeletion,
  parseJoinRequest,
  parsePoll,
  parsePollAnswer,
  parsePollCounts,
  parseReaction,
  parseReactionCount,
  parseTopic,
} from "./parse-events.ts";
import { parseChat, parseUser } from "./parse-people.ts";
import { parsePlace } from "./parse-place.ts";
import { parseService } from "./parse-service.ts";
import {
  MEMBER_STATUSES,
  type MessageContent,
  type TelegramMessage,
  type Update,
} from "./telegram-types.ts";

/**
 * The update kinds a bot of ours asks Telegram for (`allowed_updates` of setWebhook and
 * getUpdates), in the order in which `parseUpdate` looks for them: all there are, because what is
 * not asked for is lost. Those without a meaning yet are kept raw; `chat_member` and the reactions
 * come only when they are named.
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
  "chat_join_request",
  "poll",
  "poll_answer",
  "inline_query",
  "chosen_inline_result",
  "shipping_query",
  "pre_checkout_query",
  "purchased_paid_media",
  "chat_boost",
  "removed_chat_boost",
  "guest_message",
  "managed_bot",
] as const;

const MESSAGE_KINDS: ReadonlyArray<{ name: string; edited: boolean }> = [
  { name: "message", edited: false },
  { name: "edited_message", edited: true },
  { name: "channel_post", edited: false },
  { name: "edited_channel_post", edited: true },
  { name: "business_message", edited: false },
  { name: "edited_business_message", edited: true },
];

/** Bot API: whoever did something is its `from`, or its `user`. */
function otherOf(json: unknown): Update {
  const fields = asFields(json);
  const userId = asId(asFields(fields?.from)?.id) ?? asId(asFields(fields?.user)?.id);
  return userId === undefined ? { kind: "other" } : { kind: "other", userId };
}

const EVENT_KINDS: ReadonlyArray<[name: string, parse: (json: unknown) => Update | null]> = [
  ["business_connection", parseBusinessConnection],
  ["deleted_business_messages", parseDeletion],
  ["callback_query", parseCallback],
  ["inline_query", parseInlineQuery],
  ["my_chat_member", (json) => parseMembership(json, true)],
  ["chat_member", (json) => parseMembership(json, false)],
  ["message_reaction", parseReaction],
  ["message_reaction_count", parseReactionCount],
  ["chat_join_request", parseJoinRequest],
  ["poll", parsePollCounts],
  ["poll_answer", parsePollAnswer],
];

/** Reads an update (Bot API: Update). Total: what it does not understand is `other`. */
export function parseUpdate(json: unknown): Update {
  const update = asFields(json);
  if (update === undefined) return { kind: "other" };
  for (const { name, edited } of MESSAGE_KINDS) {
    if (update[name] === undefined) continue;
    const message = parseMessage(update[name]);
    return message ? { kind: "message", edited, message } : otherOf(update[name]);
  }
  for (const [name, parse] of EVENT_KINDS) {
    if (update[name] !== undefined) return parse(update[name]) ?? otherOf(update[name]);
  }
  return otherOf(Object.values(update).find((value) => asFields(value) !== undefined));
}

/** Reads a message (Bot API: Message); undefined without number, date or chat. */
export function parseMessage(json: unknown): TelegramMessage | undefined {
  const message = asFields(json);
  if (message === undefined) return undefined;
  const chat = parseChat(message.chat);
  const messageId = asCount(message.message_id);
  const sentAtS = asTimeS(message.date);
  if (chat === undefined || messageId === undefined || sentAtS === undefined) return undefined;
  const businessConnectionId = asKey(message.business_connection_id) ?? "";
  const isOfBusiness = (message.business_connection_id ?? "") !== "";
  // In a conversation it cannot be told apart from, it would be somebody else's message.
  if (isOfBusiness && businessConnectionId === "") return undefined;
  const content = withoutTokens(parseContent(message));
  return {
    chat,
    messageId: String(messageId),
    from: parseUser(message.from) ?? null,
    senderChatId: asId(asFields(message.sender_chat)?.id) ?? null,
    isAutomaticForward: message.is_automatic_forward === true,
    startToken: startTokenOf(asText(message.text) ?? ""),
    businessConnectionId,
    sentAtS,
    editedAtS: asTimeS(message.edit_date) ?? null,
    threadId: asId(message.message_thread_id) ?? null,
    isTopicMessage: message.is_topic_message === true,
    isFromOffline: message.is_from_offline === true,
    mediaGroupId: asFilledText(message.media_group_id) ?? null,
    replyToMessageId: asId(asFields(message.reply_to_message)?.message_id) ?? null,
    place: parsePlace(message),
    content,
    service: content.kind === "service" ? parseService(message) : null,
    poll: parsePoll(message.poll),
    topic: parseTopic(message),
    pinnedMessageId: asId(asFields(message.pinned_message)?.message_id) ?? null,
    joined: asList(message.new_chat_members).flatMap((user) => parseUser(user) ?? []),
    left: parseUser(message.left_chat_member) ?? null,
    migrateToChatId: asId(message.migrate_to_chat_id) ?? null,
    migrateFromChatId: asId(message.migrate_from_chat_id) ?? null,
  };
}

/** Bot API: deep linking. What is behind `/start`, where it is a token of ours or looks like one. */
function startTokenOf(text: string): string | null {
  if (parseCommand(text)?.name !== "start") return null;
  const [, argument = ""] = text.trim().split(/\s+/, 2);
  return findStartToken(argument);
}

/** A token that is pasted into talk is as good as one in a command. */
function withoutTokens(content: MessageContent): MessageContent {
  const { text, entities } = content;
  const masked = text === null ? null : withoutStartTokens(text);
  const isInEntity = entities?.some((entity) =>
    Object.values(entity).some(
      (value) => typeof value === "string" && withoutStartTokens(value) !== value,
    ),
  );
  // Their offsets are those of the text as it came.
  return masked === text && !isInEntity ? content : { ...content, text: masked, entities: null };
}

/** Bot API: CallbackQuery. The message may be one the bot cannot see any more (date 0). */
function parseCallback(json: unknown): Update | null {
  const query = asFields(json);
  const queryId = asFilledText(query?.id);
  const user = parseUser(query?.from);
  if (query === undefined || queryId === undefined || user === undefined) return null;
  const message = asFields(query.message);
  const inTopic = message?.is_topic_message === true;
  return {
    kind: "callback",
    queryId,
    user,
    data: asText(query.data) ?? null,
    chat: parseChat(message?.chat) ?? null,
    threadId: inTopic ? (asId(message.message_thread_id) ?? null) : null,
    messageId: asId(message?.message_id) ?? null,
  };
}

/** Bot API: InlineQuery. */
function parseInlineQuery(json: unknown): Update | null {
  const query = asFields(json);
  const queryId = asFilledText(query?.id);
  const user = parseUser(query?.from);
  if (queryId === undefined || user === undefined) return null;
  const [text, offset] = [asText(query?.query) ?? "", asText(query?.offset) ?? ""];
  return { kind: "inline-query", queryId, user, query: text, offset };
}

/** Bot API: ChatMemberUpdated. */
function parseMembership(json: unknown, own: boolean): Update | null {
  const change = asFields(json);
  const chat = parseChat(change?.chat);
  const atS = asTimeS(change?.date);
  const member = asFields(change?.new_chat_member);
  const user = parseUser(member?.user);
  const status = MEMBER_STATUSES.find((known) => known === member?.status);
  if (!chat || atS === undefined || !user || status === undefined) return null;
  const isOutside = status === "left" || status === "kicked" || member?.is_member === false;
  return { kind: "membership", own, chat, user, status, isInside: !isOutside, atS };
}
