import { mayTalk, type Refusal } from "../people/index.ts";
import { type AccessContext, namingKeyOf, refusalOf } from "./access-context.ts";
import { ACCESS_TEXTS } from "./access-texts.ts";
import { callbackAnswer, reply } from "./answers.ts";
import { type Context, needsLink } from "./context.ts";
import type { Effect, MessageKey, Scope } from "./effects.ts";
import type { Incoming } from "./interpret.ts";
import { contactKeyOf, messageKeyOf } from "./keys.ts";
import { isSaidByPeople } from "./parse-content.ts";
import { isInPeoplesWords } from "./parse-service.ts";
import type { TelegramMessage, Update } from "./telegram-types.ts";

/**
 * Who may talk, applied to what came. `kept`: who said it may not, and the connector keeps it, marked;
 * `dropped`: nothing of it is stored.
 */
export type Verdict = "allowed" | "kept" | "dropped";

type MessageUpdate = Extract<Update, { kind: "message" }>;
type ReactionUpdate = Extract<Update, { kind: "reaction" }>;

/** `userId` null: somebody who is no account, such as a channel that writes in a group. */
export function verdictOn(access: AccessContext, scope: Scope, userId: string | null): Verdict {
  const policy = access.policies.get(scope.connectorId);
  // The first question, since nearly always it is the last: nothing more was loaded then.
  if (policy === undefined || policy.accessLevel === "everyone") return "allowed";
  const talker = userId === null ? undefined : access.talkers.get(contactKeyOf(scope, userId));
  const person = talker && {
    agentEnabled: talker.agentEnabled,
    named: access.named.has(namingKeyOf(scope.connectorId, talker.personId)),
  };
  if (mayTalk(policy.accessLevel, person ?? null)) return "allowed";
  return policy.saveDenied ? "kept" : "dropped";
}

/**
 * A group's service messages (joins, titles, migrations) are nobody's talk, but for those that carry
 * somebody's words. In a private chat they are what the person did.
 */
export function verdictOnMessage(
  { scope }: Incoming,
  { edited, message }: MessageUpdate,
  { access, messages }: Context,
): Verdict {
  const isReport =
    message.content.kind === "service" &&
    needsLink(message.chat.type) &&
    !isInPeoplesWords(message.service);
  if (isReport || speaksForChat(message)) return "allowed";
  const key: MessageKey = {
    scope,
    chatId: message.chat.id,
    messageId: message.messageId,
    businessConnectionId: message.businessConnectionId,
  };
  if (edited && !messages.has(messageKeyOf(key))) {
    // What was dropped stays so, also once its writer may talk.
    const { droppedAtS } = refusalOf(access, scope, speakerOf(message) ?? "");
    if (droppedAtS !== null && message.sentAtS <= droppedAtS) return "dropped";
  }
  return verdictOn(access, scope, message.senderChatId === null ? speakerOf(message) : null);
}

/** Reactions of a chat's anonymous members come in its own name, or as totals. */
export function verdictOnReaction(
  access: AccessContext,
  scope: Scope,
  { chat, user, actorId }: ReactionUpdate,
): Verdict {
  if (user === null && (actorId === "0" || actorId === chat.id)) return "allowed";
  return verdictOn(access, scope, user?.id ?? null);
}

/**
 * A channel's posts, its posts in the group where they are discussed, and a group's anonymous
 * administrators (Bot API: Message, `sender_chat`): somebody who linked the chat lets them in.
 */
function speaksForChat({ chat, senderChatId, isAutomaticForward }: TelegramMessage): boolean {
  return chat.type === "channel" || senderChatId === chat.id || isAutomaticForward;
}

/** The account, or the chat in whose name it wrote; null: nobody. */
export function speakerOf({ senderChatId, from }: TelegramMessage): string | null {
  return senderChatId ?? from?.id ?? null;
}

const TELL_EVERY_MS = 3_600_000;

/** At most once an hour; whichever way a clock was set in between. */
export function mayTellAgain({ toldAtMs }: Refusal, atMs: number): boolean {
  return toldAtMs === null || Math.abs(atMs - toldAtMs) >= TELL_EVERY_MS;
}

/**
 * Notes that a message was refused, and says so to its writer: in their own chat with the bot, and
 * once an hour. What is said is not shown in a conversation, which may not exist.
 */
export function refuse(
  incoming: Incoming,
  { edited, message }: MessageUpdate,
  verdict: Exclude<Verdict, "allowed">,
  { access }: Context,
): Effect[] {
  const { scope, receivedAtMs } = incoming;
  const peerId = speakerOf(message);
  if (peerId === null) return [];
  const known = refusalOf(access, scope, peerId);
  const isAnswered =
    message.chat.type === "private" &&
    message.businessConnectionId === "" &&
    message.from?.isBot === false &&
    !edited &&
    isSaidByPeople(message.content.kind);
  const tells = isAnswered && mayTellAgain(known, receivedAtMs);
  const drops = verdict === "dropped";
  if (!tells && !drops) return [];
  const refusal: Refusal = {
    ...known,
    droppedAtS: drops ? Math.max(known.droppedAtS ?? 0, message.sentAtS) : known.droppedAtS,
    toldAtMs: tells ? receivedAtMs : known.toldAtMs,
  };
  const noted: Effect = { type: "refusal-noted", scope, peerId, refusal };
  if (!tells) return [noted];
  const threadId = (message.isTopicMessage && message.threadId) || "0";
  const text = ACCESS_TEXTS.refused;
  const said = { text, isAside: true, isCourtesy: true } as const;
  return [noted, reply(incoming, message.chat.id, threadId, said)];
}

/** What opened a link is answered by the dialog; where it was dropped that is remembered all the same. */
export function noteDropped(
  { scope }: Incoming,
  { message }: MessageUpdate,
  verdict: Verdict,
  { access }: Context,
): Effect[] {
  const peerId = speakerOf(message);
  if (verdict !== "dropped" || peerId === null) return [];
  const known = refusalOf(access, scope, peerId);
  const droppedAtS = Math.max(known.droppedAtS ?? 0, message.sentAtS);
  return [{ type: "refusal-noted", scope, peerId, refusal: { ...known, droppedAtS } }];
}

/** A pressed button is answered, or it would go on spinning. */
export function refusePress(
  incoming: Incoming,
  { queryId }: Extract<Update, { kind: "callback" }>,
  chatId: string,
): Effect[] {
  return [callbackAnswer(incoming, chatId, queryId, ACCESS_TEXTS.refusedPress)];
}
