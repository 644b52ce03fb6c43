import { linkCodeHash, type Refusal } from "../people/index.ts";
import { mayTellAgain } from "./access.ts";
import { codeKeyOf, refusalOf } from "./access-context.ts";
import { ACCESS_TEXTS, nowLinked } from "./access-texts.ts";
import { reply } from "./answers.ts";
import { isForBot, parseCommand } from "./command.ts";
import { type Context, needsLink } from "./context.ts";
import type { Effect } from "./effects.ts";
import type { Incoming } from "./interpret.ts";
import { contactKeyOf } from "./keys.ts";
import { chatSeen } from "./seen.ts";
import type { TelegramMessage, Update } from "./telegram-types.ts";

/**
 * `/link CODE` and `/unlink` in groups. Who sends them must be known as a person of the workspace; the
 * code, which somebody with a key made, proves the rest. A message with `/link` is never stored, in
 * whatever group: it may hold a code that still works.
 */

type MessageUpdate = Extract<Update, { kind: "message" }>;

export interface GroupCommand {
  name: "link" | "unlink";
  /** What stands behind it; empty: nothing. */
  code: string;
}

/** Null: the message is no such command for this bot. `botUsername` null: not known. */
export function groupCommandOf(
  { chat, content }: TelegramMessage,
  botUsername: string | null,
): GroupCommand | null {
  if (!needsLink(chat.type) || content.kind !== "text" || !content.text?.startsWith("/"))
    return null;
  const command = parseCommand(content.text);
  if (command === undefined || !isForBot(command, botUsername)) return null;
  const [, code = ""] = content.text.trim().split(/\s+/, 2);
  if (command.name === "link") return { name: "link", code };
  return command.name === "unlink" ? { name: "unlink", code: "" } : null;
}

/** Ten wrong codes an hour a chat; then none is looked at until the hour is over. */
const MAX_WRONG = 10;
const WRONG_WITHIN_MS = 3_600_000;

const isSameHour = ({ wrongSinceMs }: Refusal, atMs: number) =>
  wrongSinceMs !== null && Math.abs(atMs - wrongSinceMs) < WRONG_WITHIN_MS;

export const isShutOut = (refusal: Refusal, atMs: number) =>
  refusal.wrongCodes >= MAX_WRONG && isSameHour(refusal, atMs);

export const afterWrongCode = (refusal: Refusal, atMs: number): Refusal =>
  isSameHour(refusal, atMs)
    ? { ...refusal, wrongCodes: refusal.wrongCodes + 1 }
    : { ...refusal, wrongCodes: 1, wrongSinceMs: atMs };

/** Where the message's group is now, and whether it is linked. */
export interface Home {
  homeId: string;
  isLinked: boolean;
}

/** What the command does; null where the message is none, or is to be taken as any other. */
export function ofGroupCommand(
  incoming: Incoming,
  { edited, message }: MessageUpdate,
  home: Home,
  context: Context,
): Effect[] | null {
  const { scope } = incoming;
  const command = groupCommandOf(message, context.botUsernames.get(scope.connectorId) ?? null);
  if (command === null) return null;
  const { from, senderChatId } = message;
  // An anonymous administrator is somebody, but who is not to be known.
  const talker =
    from === null || senderChatId !== null
      ? undefined
      : context.access.talkers.get(contactKeyOf(scope, from.id));
  const by = from && talker ? { userId: from.id, personId: talker.personId } : null;
  if (command.name === "unlink") {
    if (edited || !home.isLinked || by === null) return null;
    const chatId = home.homeId;
    return [
      {
        type: "chat-link-changed",
        scope,
        chatId,
        linked: false,
        purpose: null,
        codeHash: null,
        by,
      },
      sayIn(incoming, message, home, ACCESS_TEXTS.unlinked, { isAside: true }),
    ];
  }
  const isBot = from?.isBot === true && senderChatId === null;
  if (edited || from === null || isBot || message.chat.type === "channel") return [];
  return by === null
    ? ofStranger(incoming, message, home, context)
    : ofMember(incoming, message, { ...home, by, code: command.code }, context);
}

/** Told how to become known, once an hour a group; the code is not even looked at. */
function ofStranger(
  incoming: Incoming,
  message: TelegramMessage,
  home: Home,
  { access }: Context,
): Effect[] {
  const { scope, receivedAtMs: atMs } = incoming;
  const known = refusalOf(access, scope, home.homeId);
  if (!mayTellAgain(known, atMs)) return [];
  const refusal = { ...known, toldAtMs: atMs };
  return [
    { type: "refusal-noted", scope, peerId: home.homeId, refusal },
    sayIn(incoming, message, home, ACCESS_TEXTS.codeNeedsPerson, { isAside: true }),
  ];
}

function ofMember(
  incoming: Incoming,
  message: TelegramMessage,
  home: Home & { by: { userId: string; personId: string }; code: string },
  context: Context,
): Effect[] {
  const { scope, receivedAtMs: atMs } = incoming;
  const { homeId, by } = home;
  const { access } = context;
  const known = refusalOf(access, scope, homeId);
  if (isShutOut(known, atMs)) return [];
  if (home.code === "") {
    return [sayIn(incoming, message, home, ACCESS_TEXTS.codeMissing, { isAside: true })];
  }
  const codeHash = linkCodeHash(home.code);
  const code = codeHash === null ? undefined : access.codes.get(codeKeyOf(scope, codeHash));
  if (code === undefined || code.expiresAtMs <= atMs) {
    const refusal = afterWrongCode(known, atMs);
    return [
      { type: "refusal-noted", scope, peerId: homeId, refusal },
      sayIn(incoming, message, home, ACCESS_TEXTS.codeWrong, { isAside: true }),
    ];
  }
  const { purpose } = code;
  return [
    ...(homeId === message.chat.id ? chatSeen(scope, message.chat, context) : []),
    { type: "chat-link-changed", scope, chatId: homeId, linked: true, purpose, codeHash, by },
    sayIn(incoming, message, home, nowLinked(code.workspaceName), {}),
  ];
}

/** `isAside` where nothing of the group is stored. */
function sayIn(
  incoming: Incoming,
  message: TelegramMessage,
  { homeId }: Home,
  text: string,
  rest: { isAside?: true },
): Effect {
  const threadId = (message.isTopicMessage && message.threadId) || "0";
  // A message's number belongs to the id it was sent under.
  const answered = homeId === message.chat.id ? { replyToMessageId: message.messageId } : {};
  return reply(incoming, homeId, threadId, { text, ...answered, ...rest });
}
