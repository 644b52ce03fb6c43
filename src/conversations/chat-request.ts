import type { JobId } from "../jobs/types.ts";
import type { Transaction } from "../platform/index.ts";
import type { ChatPurpose } from "./chat-links.ts";
import { type Command, isForBot, parseCommand } from "./command.ts";
import { type Context, currentChatId, needsLink } from "./context.ts";
import type { ConversationKey, Effect } from "./effects.ts";
import type { Incoming } from "./interpret.ts";
import { chatKeyOf, conversationKeyOf } from "./keys.ts";
import type { Reply } from "./reply.ts";
import type {
  ChatType,
  Media,
  MessageEntity,
  SentPlace,
  TelegramMessage,
  TelegramUser,
  Update,
} from "./telegram-types.ts";

/**
 * What somebody asks of the workspace's register in a chat: a command, a pressed button, a file, words
 * that answer a question, a search while they type. This room recognises it and hands it on, in the
 * transaction of its update; what it means is told by the room of compliance, which it does not know.
 * Whoever asks may talk to the bot; what they may see is not asked here.
 */
export type ChatRequest = Asked &
  (
    | {
        kind: "command";
        /** Lower case, without the slash: one of `REQUEST_COMMANDS`. */
        name: string;
        /** What stands behind it, as it was written. */
        args: string;
        messageId: string;
      }
    | {
        kind: "press";
        /** Of the button, from `REQUEST_DATA` on: forgeable. */
        data: string;
        callbackQueryId: string;
        /** Telegram's number of the message the button hangs on; null: nobody knows. */
        messageId: string | null;
      }
    | {
        kind: "file";
        messageId: string;
        /** document, photo, video, voice, audio, animation, location, venue. */
        contentKind: string;
        /** Null for places. */
        media: Media | null;
        place: SentPlace | null;
        caption: string | null;
        mediaGroupId: string | null;
      }
    | {
        kind: "text";
        text: string;
        entities: MessageEntity[] | null;
        messageId: string;
        replyToMessageId: string | null;
      }
    | { kind: "inline-query"; queryId: string; query: string; offset: string }
  );

/** Who asks, where, and when. Ids of Telegram are decimal strings. */
export interface Asked {
  workspaceId: string;
  connectorId: string;
  /** Where it is answered, by its present id; "0": no chat that the bot knows. */
  chatId: string;
  threadId: string | null;
  /** Null: no chat that the bot knows. */
  chatType: ChatType | null;
  purpose: ChatPurpose | null;
  user: TelegramUser;
  /** Telegram's time of it, where it has one; else when the receiver took it. */
  askedAtMs: number;
  /** The job of the update. */
  causeId: JobId;
}

/** What came of requests. */
export interface Handled {
  replies: Reply[];
  /** Files and words that were kept for what they were asked for: nobody of the team need answer them. */
  taken: ReadonlySet<ChatRequest>;
}

/** Acts on requests, in their order. May enqueue, but for sends. */
export type RequestSink = (tx: Transaction, requests: readonly ChatRequest[]) => Promise<Handled>;

/** Commands that are handed on. */
export const REQUEST_COMMANDS: ReadonlySet<string> = new Set([
  "compliance",
  "evidence",
  "risk",
  "audit",
  "reports",
  "help",
]);

/** Commands that may ask something back: behind the others, what is written next is no answer. */
const ASKING: ReadonlySet<string> = new Set(["evidence", "risk"]);

/** What the data of the room's own buttons begins with. */
export const REQUEST_DATA = "hg:";

/** Messages that may be evidence; whether one becomes any is told by whom it is handed to. */
const FILE_KINDS: ReadonlySet<string> = new Set([
  "document",
  "photo",
  "live_photo",
  "video",
  "video_note",
  "voice",
  "audio",
  "animation",
  "location",
  "venue",
]);

/**
 * What of a message, stored for the first time, is handed on; null: nothing. Files are in chats that
 * serve evidence: groups that say so, and private chats unless they are for support. Words are where a
 * question was asked: in private while it stands, in groups by replying.
 */
export function requestOfMessage(
  incoming: Incoming,
  message: TelegramMessage,
  conversation: ConversationKey,
  context: Context,
): Effect | null {
  const { chat, content, from, messageId, replyToMessageId } = message;
  if (from === null || from.isBot || message.senderChatId !== null) return null;
  if (chat.type === "channel" || message.businessConnectionId !== "") return null;
  const { scope, jobId } = incoming;
  const purpose = context.chats.get(chatKeyOf(scope, conversation.chatId))?.purpose ?? null;
  const asked: Asked = {
    ...scope,
    chatId: conversation.chatId,
    threadId: conversation.threadId === "0" ? null : conversation.threadId,
    chatType: chat.type,
    purpose,
    user: from,
    askedAtMs: message.sentAtS * 1000,
    causeId: jobId,
  };
  const isPrivate = chat.type === "private";
  const serves = isPrivate ? purpose !== "support" : purpose === "compliance";
  if (content.kind === "text") {
    const text = content.text ?? "";
    const command = parseCommand(text);
    if (command !== undefined) {
      const username = context.botUsernames.get(scope.connectorId) ?? null;
      if (!isHandedOn(command, username)) return null;
      const args = text.trim().replace(/^\S+\s*/, "");
      return handedOn({ ...asked, kind: "command", name: command.name, args, messageId });
    }
    const isAnswer = isPrivate
      ? context.asked.has(conversationKeyOf(conversation))
      : serves && replyToMessageId !== null;
    if (!isAnswer) return null;
    const { entities } = content;
    return handedOn({ ...asked, kind: "text", text, entities, messageId, replyToMessageId });
  }
  if (!serves || !FILE_KINDS.has(content.kind)) return null;
  return handedOn({
    ...asked,
    kind: "file",
    messageId,
    contentKind: content.kind,
    media: content.media,
    place: message.place,
    caption: content.media === null ? null : content.text,
    mediaGroupId: message.mediaGroupId,
  });
}

export const isHandedOn = (command: Command, botUsername: string | null): boolean =>
  REQUEST_COMMANDS.has(command.name) && isForBot(command, botUsername);

/** A press of a button that the room of compliance showed, or somebody pretends so; null: another. */
export function requestOfPress(
  incoming: Incoming,
  { data, chat, user, queryId, threadId, messageId }: Extract<Update, { kind: "callback" }>,
  context: Context,
): Effect | null {
  if (data === null || !data.startsWith(REQUEST_DATA)) return null;
  const { scope, jobId, receivedAtMs } = incoming;
  const chatId = chat === null ? "0" : currentChatId(context.successors, scope, chat.id);
  return handedOn({
    ...scope,
    kind: "press",
    data: data.slice(REQUEST_DATA.length),
    callbackQueryId: queryId,
    messageId,
    chatId,
    threadId,
    chatType: chat?.type ?? null,
    purpose: context.chats.get(chatKeyOf(scope, chatId))?.purpose ?? null,
    user,
    askedAtMs: receivedAtMs,
    causeId: jobId,
  });
}

export function requestOfQuery(
  { scope, jobId, receivedAtMs }: Incoming,
  { queryId, user, query, offset }: Extract<Update, { kind: "inline-query" }>,
): Effect {
  return handedOn({
    ...scope,
    kind: "inline-query",
    queryId,
    query,
    offset,
    chatId: "0",
    threadId: null,
    chatType: null,
    purpose: null,
    user,
    askedAtMs: receivedAtMs,
    causeId: jobId,
  });
}

const handedOn = (request: ChatRequest): Effect => ({ type: "chat-requested", request });

/** Whether it is the customer's word is known once somebody took it, or nobody did. */
export const isOffered = ({ kind }: ChatRequest): boolean => kind === "file" || kind === "text";

/** After it, words of the same conversation may be its answer: within a batch nobody has written so yet. */
export function mayBeAsked(request: ChatRequest) {
  const { kind, workspaceId, connectorId, chatId, chatType, threadId } = request;
  if (kind === "inline-query" || chatType === null || needsLink(chatType)) return null;
  if (kind === "command" && !ASKING.has(request.name)) return null;
  return conversationKeyOf({
    scope: { workspaceId, connectorId },
    chatId,
    threadId: threadId ?? "0",
    businessConnectionId: "",
  });
}
