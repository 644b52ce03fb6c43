import { verdictOn, verdictOnReaction } from "./access.ts";
import { type Context, currentChatId, needsLink } from "./context.ts";
import type { Effect, MessageKey, Scope } from "./effects.ts";
import type { Incoming } from "./interpret.ts";
import { chatKeyOf, messageKeyOf } from "./keys.ts";
import { chatSeen, contactsSeen, memberChange } from "./seen.ts";
import type { TelegramChat, Update } from "./telegram-types.ts";

/** What updates that are no messages change: joins asked for, reactions, deletions, polls, accounts. */

type Of<Kind extends Update["kind"]> = Extract<Update, { kind: Kind }>;

/** The chat's present id, and whether anything of it may be stored. */
export function homeOf(scope: Scope, chat: TelegramChat, context: Context) {
  const homeId = currentChatId(context.successors, scope, chat.id);
  const isLinked = context.chats.get(chatKeyOf(scope, homeId))?.linked === true;
  return { homeId, isStored: !needsLink(chat.type) || isLinked };
}

/** Whether to let somebody in is decided elsewhere; that they asked is kept beside the members. */
export function ofJoinRequest(
  incoming: Incoming,
  { chat, user, atS }: Of<"join-request">,
  context: Context,
): Effect[] {
  const { scope } = incoming;
  const { homeId, isStored } = homeOf(scope, chat, context);
  if (!isStored) return [];
  return [
    ...(homeId === chat.id ? chatSeen(scope, chat, context) : []),
    ...contactsSeen(incoming, [user], context),
    ...memberChange(scope, homeId, user, "requested", atS, context),
  ];
}

/** Delivered beside the messages of its chat, so the message itself may not be here yet. */
export function ofReaction(incoming: Incoming, update: Of<"reaction">, context: Context): Effect[] {
  const { scope } = incoming;
  const { chat, messageId, actorId, reactions, atS } = update;
  const { homeId, isStored } = homeOf(scope, chat, context);
  if (!isStored || verdictOnReaction(context.access, scope, update) === "dropped") return [];
  const key: MessageKey = { scope, chatId: chat.id, messageId, businessConnectionId: "" };
  return [
    ...(homeId === chat.id ? chatSeen(scope, chat, context) : []),
    ...(update.user === null ? [] : contactsSeen(incoming, [update.user], context)),
    { type: "reactions-changed", key, actorId, reactions, atS },
  ];
}

/** What was said stays, marked: it is evidence that it was said, and that it was taken back. */
export function ofDeletion(incoming: Incoming, update: Of<"deletion">, context: Context): Effect[] {
  const { scope, receivedAtMs } = incoming;
  const { chat, businessConnectionId, messageIds } = update;
  if (!homeOf(scope, chat, context).isStored) return [];
  return messageIds.flatMap((messageId): Effect[] => {
    const key: MessageKey = { scope, chatId: chat.id, messageId, businessConnectionId };
    if (!context.messages.has(messageKeyOf(key))) return [];
    return [{ type: "message-deleted", key, atMs: receivedAtMs }];
  });
}

export function ofPoll({ scope, receivedAtMs }: Incoming, update: Of<"poll">): Effect[] {
  const { pollId, counts } = update;
  const atMs = receivedAtMs;
  return [{ type: "poll-counted", scope, pollId, asked: null, counts, live: true, atMs }];
}

/** The voter by id alone: the bot's poll may stand in a chat that nobody linked. */
export function ofPollAnswer(
  { scope, receivedAtMs }: Incoming,
  update: Of<"poll-answer">,
  { access }: Context,
): Effect[] {
  const { pollId, voterId, options } = update;
  if (verdictOn(access, scope, voterId) === "dropped") return [];
  const answered: Effect = {
    type: "poll-answered",
    scope,
    pollId,
    voterId,
    options,
    atMs: receivedAtMs,
  };
  return [answered];
}

export function ofBusinessConnection(
  incoming: Incoming,
  { kind: _kind, user, ...connection }: Of<"business-connection">,
  context: Context,
): Effect[] {
  const { scope, receivedAtMs } = incoming;
  const isHeard = verdictOn(context.access, scope, user.id) !== "dropped";
  return [
    ...(isHeard ? contactsSeen(incoming, [user], context) : []),
    {
      type: "business-connection-changed",
      scope,
      ...connection,
      userId: user.id,
      atMs: receivedAtMs,
    },
  ];
}
