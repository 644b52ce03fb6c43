import {
  asCount,
  asFields,
  asFilledText,
  asId,
  asInteger,
  asList,
  asTimeS,
  asWording,
  type Fields,
} from "./fields.ts";
import { parseChat, parseUser } from "./parse-people.ts";
import type { Poll, PollCounts, Reaction, TopicChange, Update } from "./telegram-types.ts";

/**
 * Updates that are no messages: joins asked for, reactions, polls, business accounts. Each reader
 * answers null for what it cannot make sense of.
 */

/** Part of a key of an index; Telegram's are a few dozen characters. */
const MAX_KEY = 256;
/** Bot API: a poll has at most 12 options; a message at most a few reactions of one person. */
const MAX_OPTIONS = 100;

/** A name that Telegram gives to something, and part of a key here. */
export function asKey(value: unknown): string | undefined {
  const key = asFilledText(value);
  return key === undefined || key.length > MAX_KEY ? undefined : key;
}

/** Bot API: ChatJoinRequest. */
export function parseJoinRequest(json: unknown): Update | null {
  const request = asFields(json);
  const chat = parseChat(request?.chat);
  const user = parseUser(request?.from);
  const atS = asTimeS(request?.date);
  if (!chat || !user || atS === undefined) return null;
  return { kind: "join-request", chat, user, atS };
}

/** Bot API: MessageReactionUpdated. */
export function parseReaction(json: unknown): Update | null {
  const change = asFields(json);
  const target = targetOf(change);
  if (change === undefined || target === null || !Array.isArray(change.new_reaction)) return null;
  const user = parseUser(change.user) ?? null;
  const actorId = user?.id ?? asId(asFields(change.actor_chat)?.id);
  if (actorId === undefined || actorId === "0") return null;
  const reactions = asList(change.new_reaction).slice(0, MAX_OPTIONS).flatMap(reactionOf);
  return { kind: "reaction", ...target, user, actorId, reactions };
}

/** Bot API: MessageReactionCountUpdated. */
export function parseReactionCount(json: unknown): Update | null {
  const change = asFields(json);
  const target = targetOf(change);
  if (change === undefined || target === null || !Array.isArray(change.reactions)) return null;
  const reactions = asList(change.reactions)
    .slice(0, MAX_OPTIONS)
    .flatMap((item) => {
      const total = asFields(item);
      const count = asCount(total?.total_count);
      return count === undefined ? [] : reactionOf(total?.type).map((one) => ({ ...one, count }));
    });
  return { kind: "reaction", ...target, user: null, actorId: "0", reactions };
}

function targetOf(change: Fields | undefined) {
  const chat = parseChat(change?.chat);
  const messageId = asCount(change?.message_id);
  const atS = asTimeS(change?.date);
  if (!chat || messageId === undefined || atS === undefined) return null;
  return { chat, messageId: String(messageId), atS };
}

/** Bot API: ReactionType. One that does not exist yet is left out. */
function reactionOf(value: unknown): Reaction[] {
  const fields = asFields(value);
  const emoji = asFilledText(fields?.emoji);
  const customEmojiId = asFilledText(fields?.custom_emoji_id);
  if (fields?.type === "emoji" && emoji !== undefined) return [{ type: "emoji", emoji }];
  if (fields?.type === "custom_emoji" && customEmojiId !== undefined) {
    return [{ type: "custom_emoji", customEmojiId }];
  }
  return fields?.type === "paid" ? [{ type: "paid" }] : [];
}

/** Bot API: Poll, of a message. */
export function parsePoll(json: unknown): Poll | null {
  const poll = asFields(json);
  const id = asKey(poll?.id);
  const question = asWording(poll?.question);
  if (poll === undefined || id === undefined || question === undefined) return null;
  const options = optionsOf(poll).map((option) => asWording(option?.text) ?? "");
  return { id, question, options, counts: countsOf(poll) };
}

/** Bot API: Poll, as an update of its own: its counts. */
export function parsePollCounts(json: unknown): Update | null {
  const poll = asFields(json);
  const pollId = asKey(poll?.id);
  if (poll === undefined || pollId === undefined) return null;
  return { kind: "poll", pollId, counts: countsOf(poll) };
}

const optionsOf = (poll: Fields) => asList(poll.options).slice(0, MAX_OPTIONS).map(asFields);

function countsOf(poll: Fields): PollCounts {
  return {
    votes: optionsOf(poll).map((option) => asCount(option?.voter_count) ?? 0),
    voters: asCount(poll.total_voter_count) ?? 0,
    closed: poll.is_closed === true,
  };
}

/** Bot API: PollAnswer. No options: the vote was taken back. */
export function parsePollAnswer(json: unknown): Update | null {
  const answer = asFields(json);
  const pollId = asKey(answer?.poll_id);
  // Where a chat votes, `user` is a stand-in of Telegram's.
  const voterId = asId(asFields(answer?.voter_chat)?.id) ?? asId(asFields(answer?.user)?.id);
  if (answer === undefined || pollId === undefined || voterId === undefined) return null;
  if (!Array.isArray(answer.option_ids)) return null;
  const options = asList(answer.option_ids)
    .slice(0, MAX_OPTIONS)
    .flatMap((id) => asCount(id) ?? []);
  return { kind: "poll-answer", pollId, voterId, options };
}

/** Bot API: BusinessConnection. `can_reply` was its own field before there were `rights`. */
export function parseBusinessConnection(json: unknown): Update | null {
  const connection = asFields(json);
  const connectionId = asKey(connection?.id);
  const user = parseUser(connection?.user);
  const userChatId = asId(connection?.user_chat_id);
  const connectedAtS = asTimeS(connection?.date);
  if (connection === undefined || connectionId === undefined || !user) return null;
  if (userChatId === undefined || connectedAtS === undefined) return null;
  const enabled = connection.is_enabled === true;
  const canReply = (asFields(connection.rights)?.can_reply ?? connection.can_reply) === true;
  return {
    kind: "business-connection",
    connectionId,
    user,
    userChatId,
    enabled,
    canReply,
    connectedAtS,
  };
}

/** Bot API: BusinessMessagesDeleted. */
export function parseDeletion(json: unknown): Update | null {
  const deletion = asFields(json);
  const chat = parseChat(deletion?.chat);
  const businessConnectionId = asKey(deletion?.business_connection_id);
  if (deletion === undefined || !chat || businessConnectionId === undefined) return null;
  const messageIds = asList(deletion.message_ids).flatMap((id) => asCount(id) ?? []);
  return {
    kind: "deletion",
    chat,
    businessConnectionId,
    messageIds: [...new Set(messageIds)].map(String),
  };
}

/**
 * What a message tells of its forum topic: a service message of it, or else the message that the
 * topic began with, which Telegram shows as the one replied to in topics older than our link.
 */
export function parseTopic(message: Fields): TopicChange | null {
  const atS = asTimeS(message.date);
  if (atS === undefined) return null;
  const said = (field: string) => asFields(message[field]) !== undefined;
  const nothing = { name: null, closed: null, hidden: null, atS };
  const created = asFields(message.forum_topic_created);
  if (created) return { ...nothing, name: asWording(created.name) || null, closed: false };
  const edited = asFields(message.forum_topic_edited);
  // Edited without a name: only its icon is another.
  if (edited) {
    const name = asWording(edited.name) || null;
    return name === null ? null : { ...nothing, name };
  }
  if (said("forum_topic_closed")) return { ...nothing, closed: true };
  if (said("forum_topic_reopened")) return { ...nothing, closed: false };
  if (said("general_forum_topic_hidden")) return { ...nothing, hidden: true, closed: true };
  if (said("general_forum_topic_unhidden")) return { ...nothing, hidden: false };
  const beginning = asFields(message.reply_to_message);
  const isBeginning = asInteger(beginning?.message_id) === asInteger(message.message_thread_id);
  const name = asWording(asFields(beginning?.forum_topic_created)?.name) || undefined;
  const begunAtS = asTimeS(beginning?.date);
  if (!isBeginning || name === undefined || begunAtS === undefined) return null;
  return { ...nothing, name, atS: begunAtS };
}
