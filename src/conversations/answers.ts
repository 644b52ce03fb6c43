import { consentOf } from "./broadcast-consent.ts";
import { requestOfMessage } from "./chat-request.ts";
import { isForBot, parseCommand } from "./command.ts";
import type { Context } from "./context.ts";
import type { ConversationKey, Effect } from "./effects.ts";
import type { Incoming } from "./interpret.ts";
import { conversationKeyOf } from "./keys.ts";
import { isSaidByPeople } from "./parse-content.ts";
import type { Reply } from "./reply.ts";
import type { TelegramMessage, Update } from "./telegram-types.ts";
import { BUTTON_DATA, connectionWorks, START_BUTTONS, TEXTS } from "./texts.ts";

/**
 * What is said to people, and when. Never to a bot (two would talk for ever), in a channel, or in
 * the name of a business account; `interpret` asks only for messages stored for the first time.
 */
export function answerMessage(
  incoming: Incoming,
  message: TelegramMessage,
  conversation: ConversationKey,
  context: Context,
): Effect[] {
  const { chat, content } = message;
  if (message.from === null || message.from.isBot) return [];
  if (chat.type === "channel" || message.businessConnectionId !== "") return [];
  if (!isSaidByPeople(content.kind)) return [];

  const request = requestOfMessage(incoming, message, conversation, context);
  if (request !== null) return [request];

  const isPrivate = chat.type === "private";
  const say = (text: string, rest: Partial<MessageReply> = {}): Effect =>
    reply(incoming, conversation.chatId, conversation.threadId, {
      text,
      ...(isPrivate ? {} : { replyToMessageId: message.messageId }),
      ...rest,
    });

  const command = content.kind === "text" ? parseCommand(content.text ?? "") : undefined;
  if (command) {
    const botUsername = context.botUsernames.get(incoming.scope.connectorId) ?? null;
    if (!isForBot(command, botUsername)) return [];
    const told = consentOf(incoming, message, context);
    const consent = told === null ? [] : [told];
    if (command.name === "start") {
      return [...consent, say(TEXTS.start, { buttons: START_BUTTONS })];
    }
    if (consent.length > 0) return [...consent, say(TEXTS.stopped)];
    return isPrivate ? [say(TEXTS.unknownCommand)] : [];
  }
  if (!isPrivate || context.acknowledged.has(conversationKeyOf(conversation))) return [];
  return [
    { type: "conversation-acknowledged", conversation, atMs: incoming.receivedAtMs },
    say(TEXTS.acknowledgement, { isCourtesy: true }),
  ];
}

/**
 * A pressed button is always answered, or it would go on spinning; its data is forgeable, so it
 * only ever chooses among harmless answers. The answer goes first: it expires in seconds.
 */
export function answerCallback(
  incoming: Incoming,
  query: Extract<Update, { kind: "callback" }>,
  chatId: string,
): Effect[] {
  const answer = (text: string) => callbackAnswer(incoming, chatId, query.queryId, text);
  switch (query.data) {
    case BUTTON_DATA.check:
      return [answer(connectionWorks(incoming.receivedAtMs))];
    default:
      return [answer(TEXTS.nothingBehindButton)];
  }
}

/** What shows on the button's screen for a moment: at most 200 characters. */
export function callbackAnswer(
  { scope, jobId }: Incoming,
  chatId: string,
  callbackQueryId: string,
  text: string,
): Effect {
  return {
    type: "reply",
    reply: { kind: "callback-answer", ...scope, chatId, callbackQueryId, text, causeId: jobId },
  };
}

type MessageReply = Extract<Reply, { kind: "message" }>;

export function reply(
  incoming: Incoming,
  chatId: string,
  threadId: string,
  said: Pick<MessageReply, "text"> & Partial<MessageReply>,
): Effect {
  return {
    type: "reply",
    reply: {
      kind: "message",
      ...incoming.scope,
      chatId,
      threadId: threadId === "0" ? null : threadId,
      format: "plain",
      causeId: incoming.jobId,
      ...said,
    },
  };
}
