import { mayWriteTo, type Reply, type ReplyButton } from "../../conversations/index.ts";
import type { Transaction } from "../../platform/index.ts";
import type { Asker, RequestOf } from "../request-sink.ts";
import { escaped } from "./html.ts";
import type { Texts } from "./texts.ts";

/** What somebody is told. */
export interface Answer {
  /** Of the message it becomes, where its buttons turn it over. */
  id?: string;
  /** Telegram's HTML, of at most 4,096 characters without its marks. */
  html: string;
  buttons?: ReplyButton[][];
  /** Not for everybody in a group: it goes to the person's own chat. */
  isPersonal: boolean;
}

/** Nothing of the register in it: it may be read by everybody. */
export const openly = (html: string): Answer => ({ html, isPersonal: false });

/**
 * Says it where it may be said: what is personal in the private chat of who asks, with a note in the
 * group that it is there, or how to get it where the bot cannot write to them (they never began a chat,
 * or blocked it).
 */
export async function deliver(
  tx: Transaction,
  request: RequestOf<"command">,
  { asker, texts, answer }: { asker: Asker; texts: Texts; answer: Answer },
): Promise<Reply[]> {
  const { id, html, buttons: shown, isPersonal } = answer;
  const said = { id, html, buttons: shown };
  const isPrivate = request.chatType === "private";
  const there = isPrivate ? {} : { replyToMessageId: request.messageId };
  if (isPrivate || !isPersonal) return [message(request, { ...said, ...there })];
  const { user } = request;
  if (await canBeTold(tx, request)) {
    return [
      message({ ...request, chatId: user.id, threadId: null }, said),
      message(request, { html: escaped(texts.answeredInPrivate), ...there }),
    ];
  }
  const url = `https://t.me/${asker.botUsername}?start=hello`;
  const buttons: ReplyButton[][] = [[{ text: texts.openBot, url }]];
  return [message(request, { html: escaped(texts.cannotWriteInPrivate), buttons, ...there })];
}

/** Whether what is personal reaches who asks. */
export async function canBeTold(
  tx: Transaction,
  { workspaceId, connectorId, chatType, user }: RequestOf<"command">,
): Promise<boolean> {
  if (chatType === "private") return true;
  return mayWriteTo(tx, { workspaceId, connectorId, userId: user.id });
}

type Where = Pick<
  RequestOf<"command">,
  "workspaceId" | "connectorId" | "chatId" | "threadId" | "causeId"
>;

interface Said {
  id?: string;
  /** The message that it takes the place of. */
  edits?: string;
  html: string;
  buttons?: ReplyButton[][];
  replyToMessageId?: string;
  isCourtesy?: true;
}

export function message(
  { workspaceId, connectorId, chatId, threadId, causeId }: Where,
  { html, buttons = [], ...said }: Said,
): Reply {
  const where = { workspaceId, connectorId, chatId, threadId, causeId };
  const keyboard = buttons.length > 0 ? { buttons } : {};
  return { kind: "message", ...where, text: html, format: "html", ...said, ...keyboard };
}

/** What shows over a pressed button for a moment: at most 200 characters. */
export function overButton(
  { workspaceId, connectorId, chatId, causeId, callbackQueryId, user }: RequestOf<"press">,
  text: string,
): Reply {
  // Where no chat is known it goes by the person's.
  const at = chatId === "0" ? user.id : chatId;
  return {
    kind: "callback-answer",
    workspaceId,
    connectorId,
    chatId: at,
    callbackQueryId,
    text,
    causeId,
  };
}
