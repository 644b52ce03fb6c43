import {
  noteDropped,
  refuse,
  refusePress,
  type Verdict,
  verdictOn,
  verdictOnMessage,
} from "./access.ts";
import { answerCallback, answerMessage } from "./answers.ts";
import { ofApprovalButton } from "./approval-press.ts";
import { consentOf } from "./broadcast-consent.ts";
import { requestOfPress, requestOfQuery } from "./chat-request.ts";
import { type Context, currentChatId, needsLink } from "./context.ts";
import type {
  ConversationKey,
  Effect,
  MessageKey,
  MessageVersion,
  Scope,
  StoredMessage,
} from "./effects.ts";
import { ofGroupCommand } from "./group-command.ts";
import {
  ofBusinessConnection,
  ofDeletion,
  ofJoinRequest,
  ofPoll,
  ofPollAnswer,
  ofReaction,
} from "./interpret-events.ts";
import { chatKeyOf, contactKeyOf, isMigration, messageKeyOf } from "./keys.ts";
import { ofLinkButton, ofStartToken } from "./person-link-dialog.ts";
import { chatSeen, contactsSeen, memberChange } from "./seen.ts";
import { sessionMoved } from "./session-moved.ts";
import { sideOf } from "./side.ts";
import type { TelegramMessage, Update } from "./telegram-types.ts";
import { versionKeyOf } from "./version.ts";

/** An update with what the engine knows about it. */
export interface Incoming {
  scope: Scope;
  jobId: string;
  /** When the receiver took it. */
  receivedAtMs: number;
  update: Update;
  /** A link's token may stand somewhere in its bytes. */
  holdsToken?: boolean;
}

type MessageUpdate = Extract<Update, { kind: "message" }>;
type MembershipUpdate = Extract<Update, { kind: "membership" }>;
type CallbackUpdate = Extract<Update, { kind: "callback" }>;

/**
 * What an update changes, given what is known: pure, total, without a clock of its own. An update
 * that was applied already has no effects, whatever came between.
 */
export function interpret(incoming: Incoming, context: Context): Effect[] {
  const { update } = incoming;
  switch (update.kind) {
    case "message":
      return ofMessage(incoming, update, context);
    case "membership":
      return ofMembership(incoming, update, context);
    case "callback":
      return ofCallback(incoming, update, context);
    case "inline-query":
      return ofInlineQuery(incoming, update, context);
    case "join-request":
      return ofJoinRequest(incoming, update, context);
    case "reaction":
      return ofReaction(incoming, update, context);
    case "deletion":
      return ofDeletion(incoming, update, context);
    case "poll":
      return ofPoll(incoming, update);
    case "poll-answer":
      return ofPollAnswer(incoming, update, context);
    case "business-connection":
      return ofBusinessConnection(incoming, update, context);
    case "other":
      return [];
  }
}

function ofMessage(incoming: Incoming, update: MessageUpdate, context: Context): Effect[] {
  const { scope } = incoming;
  const { message } = update;
  const { chat } = message;
  const migration = migrationOf(scope, message, context);
  // After a migration link and conversation are at the new id, whichever of the two ids tells it.
  const homeId = migration?.toChatId ?? currentChatId(context.successors, scope, chat.id);
  const isLinked = [homeId, migration?.fromChatId ?? homeId].some(
    (id) => context.chats.get(chatKeyOf(scope, id))?.linked === true,
  );
  const effects: Effect[] = migration ? [migration] : [];
  const command = ofGroupCommand(incoming, update, { homeId, isLinked }, context);
  if (command !== null) return [...effects, ...command];
  if (needsLink(chat.type) && !isLinked) return effects;
  const verdict = verdictOnMessage(incoming, update, context);
  if (verdict === "dropped") {
    return [...effects, ...replyTo(incoming, update, null, verdict, context)];
  }

  if (homeId === chat.id) effects.push(...chatSeen(scope, chat, context));
  const people = [message.from, ...message.joined, message.left].filter((user) => user !== null);
  effects.push(...contactsSeen(incoming, people, context));
  for (const user of message.joined) {
    effects.push(...memberChange(scope, homeId, user, "member", message.sentAtS, context));
  }
  if (message.left) {
    effects.push(...memberChange(scope, homeId, message.left, "left", message.sentAtS, context));
  }

  const conversation: ConversationKey = {
    scope,
    chatId: homeId,
    threadId: (message.isTopicMessage && message.threadId) || "0",
    businessConnectionId: message.businessConnectionId,
  };
  const written = writeMessage(incoming, update, conversation, verdict, context);
  effects.push(...written);
  if (!written.some((effect) => effect.type === "message-stored")) return effects;
  effects.push(...tellings(incoming, message, conversation, context));
  if (verdict === "allowed") effects.push(...sessionMoved(incoming, update, conversation, context));
  effects.push(...replyTo(incoming, update, conversation, verdict, context));
  return effects;
}

/** `conversation` null: the message is not stored. */
function replyTo(
  incoming: Incoming,
  update: MessageUpdate,
  conversation: ConversationKey | null,
  verdict: Verdict,
  context: Context,
): Effect[] {
  const { edited, message } = update;
  const isAside = verdict !== "allowed";
  const opened = edited ? null : ofStartToken(incoming, message, { isAside }, context);
  if (opened !== null) return [...noteDropped(incoming, update, verdict, context), ...opened];
  if (verdict !== "allowed") {
    // Whoever may not talk may still refuse to be talked to.
    const told = edited ? null : consentOf(incoming, message, context);
    const stopped = told === null || told.allowed ? [] : [told];
    return [...stopped, ...refuse(incoming, update, verdict, context)];
  }
  if (edited || conversation === null) return [];
  return answerMessage(incoming, message, conversation, context);
}

/** What a message that is stored for the first time tells of other things. */
function tellings(
  { scope, receivedAtMs }: Incoming,
  { chat, poll, topic, pinnedMessageId, businessConnectionId, sentAtS }: TelegramMessage,
  { chatId, threadId }: ConversationKey,
  context: Context,
): Effect[] {
  const effects: Effect[] = [];
  if (topic) effects.push({ type: "topic-changed", scope, chatId, threadId, change: topic });
  if (poll) {
    const { id: pollId, question, options, counts } = poll;
    const asked = { question, options };
    const [live, atMs] = [false, receivedAtMs];
    effects.push({ type: "poll-counted", scope, pollId, asked, counts, live, atMs });
  }
  if (pinnedMessageId !== null) {
    const key = { scope, chatId: chat.id, messageId: pinnedMessageId, businessConnectionId };
    if (context.messages.has(messageKeyOf(key))) {
      effects.push({ type: "message-pinned", key, atS: sentAtS });
    }
  }
  return effects;
}

/**
 * Both service messages of a migration say the same; the second finds it done, and doing it again
 * changes nothing. What contradicts an earlier migration is left alone.
 */
function migrationOf(
  scope: Scope,
  message: TelegramMessage,
  context: Context,
): Extract<Effect, { type: "chat-migrated" }> | null {
  if (!needsLink(message.chat.type)) return null;
  const fromChatId = message.migrateToChatId ? message.chat.id : message.migrateFromChatId;
  const toChatId = message.migrateToChatId ?? message.chat.id;
  if (fromChatId === null || !isMigration(fromChatId, toChatId)) return null;
  const already = context.successors.get(chatKeyOf(scope, fromChatId)) ?? toChatId;
  const hasMovedOn = context.successors.has(chatKeyOf(scope, toChatId));
  if (already !== toChatId || hasMovedOn) return null;
  return { type: "chat-migrated", scope, fromChatId, toChatId };
}

/** Stores the message, or sorts an edit into its versions: the newest by date wins, then the later. */
function writeMessage(
  incoming: Incoming,
  { edited, message }: MessageUpdate,
  conversation: ConversationKey,
  verdict: Verdict,
  context: Context,
): Effect[] {
  const { scope } = incoming;
  const key: MessageKey = {
    scope,
    chatId: message.chat.id,
    messageId: message.messageId,
    businessConnectionId: message.businessConnectionId,
  };
  const version = versionOf(message, edited);
  const known = context.messages.get(messageKeyOf(key));
  if (known === undefined) {
    const direction = isOfAccount(message) ? "out" : "in";
    const side = sideOf(message, direction, {
      isAgent: message.from !== null && context.agents.has(contactKeyOf(scope, message.from.id)),
      purpose: context.chats.get(chatKeyOf(scope, conversation.chatId))?.purpose ?? null,
      botUsername: context.botUsernames.get(scope.connectorId) ?? null,
    });
    const stored = storedMessage(message, version, { key, conversation, direction, side });
    return [
      {
        type: "message-stored",
        message: {
          ...stored,
          receivedAtMs: incoming.receivedAtMs,
          jobId: incoming.jobId,
          // What nobody is to look at is nobody's word.
          ...(verdict === "kept" ? ({ denied: true, side: null } as const) : {}),
        },
        contactUserId: contactUserIdOf(message),
      },
    ];
  }

  const current: MessageVersion = { versionAtS: known.versionAtS, content: known.content };
  const isFirst = version.versionAtS === 0;
  if (isFirst && (known.versionAtS === 0 || hasFirstVersion(known.history))) return [];
  const versionKey = versionKeyOf(version);
  if (versionKey === versionKeyOf(current) || known.history.has(versionKey)) return [];
  if (version.versionAtS < known.versionAtS) return [{ type: "version-kept", key, version }];
  return [{ type: "message-edited", key, version, previous: current }];
}

/** The version an update carries; a first version has time 0. */
export function versionOf(message: TelegramMessage, edited: boolean): MessageVersion {
  const versionAtS = message.editedAtS ?? (edited ? message.sentAtS : 0);
  return { versionAtS, content: message.content };
}

function hasFirstVersion(history: ReadonlySet<string>): boolean {
  for (const key of history) if (key.startsWith("0/")) return true;
  return false;
}

/** The row of a message, but for when and by which job it came. */
export function storedMessage(
  message: TelegramMessage,
  version: MessageVersion,
  place: Pick<StoredMessage, "key" | "conversation" | "direction" | "side">,
) {
  return {
    ...place,
    fromUserId: message.from?.id ?? null,
    threadId: message.threadId,
    version,
    service: message.service,
    pollId: message.poll?.id ?? null,
    mediaGroupId: message.mediaGroupId,
    replyToMessageId: message.replyToMessageId,
    sentAtS: message.sentAtS,
  };
}

/**
 * A business account's own messages come as updates too, whoever wrote them: the chat is named after
 * the customer, so who else writes there is the account (Bot API: business_message).
 */
function isOfAccount({ businessConnectionId, chat, from }: TelegramMessage): boolean {
  return (
    businessConnectionId !== "" && chat.type === "private" && from !== null && from.id !== chat.id
  );
}

/** Whom a conversation is with: in a private chat the chat's id is the person's. */
export function contactUserIdOf(message: TelegramMessage): string | null {
  return message.chat.type === "private" ? message.chat.id : null;
}

function ofMembership(incoming: Incoming, update: MembershipUpdate, context: Context): Effect[] {
  const { scope } = incoming;
  const { chat, user, status, atS } = update;
  const homeId = currentChatId(context.successors, scope, chat.id);
  const home = context.chats.get(chatKeyOf(scope, homeId));
  const isStored = !needsLink(chat.type) || home?.linked === true;
  // Of a group that nobody linked: that the bot is in it, which linking needs, and nothing else.
  if (!isStored && !update.own) return [];

  const effects: Effect[] = homeId === chat.id ? chatSeen(scope, chat, context) : [];
  if (!update.own) effects.push(...contactsSeen(incoming, [user], context));
  effects.push(...memberChange(scope, homeId, user, status, atS, context));
  // The old id of a migrated group is left by everybody: that says nothing about the new one.
  if (update.own && homeId === chat.id && atS >= (home?.reachableAtS ?? 0)) {
    const reachable = update.isInside;
    effects.push({ type: "chat-reachability", scope, chatId: homeId, reachable, atS });
  }
  return effects;
}

function ofCallback(incoming: Incoming, update: CallbackUpdate, context: Context): Effect[] {
  const { scope } = incoming;
  const { chat } = update;
  const homeId = currentChatId(context.successors, scope, chat?.id ?? update.user.id);
  const home = context.chats.get(chatKeyOf(scope, homeId));
  if (chat && needsLink(chat.type) && home?.linked !== true) return [];
  const ofLink = ofLinkButton(incoming, update, context) ?? ofApprovalButton(incoming, update);
  if (ofLink !== null) return ofLink;
  if (verdictOn(context.access, scope, update.user.id) !== "allowed") {
    return refusePress(incoming, update, homeId);
  }
  const request = requestOfPress(incoming, update, context);
  return [
    ...contactsSeen(incoming, [update.user], context),
    ...(request === null ? answerCallback(incoming, update, homeId) : [request]),
  ];
}

/** Whoever may not talk finds nothing; the query expires by itself. Typing makes nobody a contact. */
function ofInlineQuery(
  incoming: Incoming,
  update: Extract<Update, { kind: "inline-query" }>,
  context: Context,
): Effect[] {
  if (verdictOn(context.access, incoming.scope, update.user.id) !== "allowed") return [];
  return [requestOfQuery(incoming, update)];
}
