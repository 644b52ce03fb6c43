import type { JobId } from "../jobs/types.ts";
import type { Transaction } from "../platform/index.ts";

/** One button of an inline keyboard; `data` is 1–64 bytes and comes back forgeable, `url` is opened. */
export type ReplyButton = { text: string } & (
  | { data: string; url?: undefined }
  | { url: string; data?: undefined }
);

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
    };

/** Puts replies on the outbound queue, set-based, inside the transaction of what they answer. */
export type ReplySink = (tx: Transaction, replies: Reply[]) => Promise<void>;
