import type { JobId } from "../jobs/types.ts";
import type { Transaction } from "../platform/index.ts";

/** One button of an inline keyboard; `data` is 1–64 bytes and comes back forgeable, `url` is opened. */
export type ReplyButton = { text: string } & (
  | { data: string; url?: undefined }
  | { url: string; data?: undefined }
);

/** An article that somebody may choose (Bot API: InlineQueryResultArticle). Plain text, as it is. */
export interface InlineResult {
  /** 1–64 bytes. */
  id: string;
  title: string;
  description: string;
  /** What is posted, in the name of who chose it: 1–4,096 UTF-16 units. */
  text: string;
}

/** Above the results; leads to the bot's own chat (Bot API: InlineQueryResultsButton). */
export interface InlineButton {
  text: string;
  /** What `/start` brings: 1–64 of `A-Z a-z 0-9 _ -`. */
  startParameter: string;
}

/** What ingest wants said or answered. Ids of Telegram are decimal strings. */
export type Reply =
  | {
      kind: "message";
      /** Of the row it becomes (outbound_messages); default: one of its own. */
      id?: string;
      /** Takes the place of what this earlier one says, with its buttons, instead of standing beside it. */
      edits?: string;
      workspaceId: string;
      connectorId: string;
      chatId: string;
      threadId: string | null;
      text: string;
      format: "plain" | "html";
      /** Rows of buttons. */
      buttons?: ReplyButton[][];
      replyToMessageId?: string;
      /** Nobody asked for it: it stands behind the answers to commands and buttons. */
      isCourtesy?: true;
      /** Said beside the conversation, to somebody of whom nothing is stored: not shown in it. */
      isAside?: true;
      /** The job of the update that is answered. */
      causeId: JobId;
    }
  | {
      kind: "callback-answer";
      workspaceId: string;
      connectorId: string;
      chatId: string;
      callbackQueryId: string;
      /** At most 200 characters. */
      text: string;
      causeId: JobId;
    }
  | {
      /** What is found for somebody who types behind the bot's name. */
      kind: "inline-answer";
      workspaceId: string;
      connectorId: string;
      /** No chat that the bot knows. */
      chatId: "0";
      /** It speaks by its results. */
      text: "";
      inlineQueryId: string;
      /** At most 50, each with an id of its own. */
      results: InlineResult[];
      /** At most 64 bytes; empty: there is no more. */
      nextOffset: string;
      button: InlineButton | null;
      /** Telegram takes no answer after it. */
      expiresAt: Date;
      causeId: JobId;
    };

/** Puts replies on the outbound queue, set-based, inside the transaction of what they answer. */
export type ReplySink = (tx: Transaction, replies: Reply[]) => Promise<void>;
