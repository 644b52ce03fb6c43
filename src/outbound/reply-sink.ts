import { randomUUID } from "node:crypto";
import type { Reply, ReplySink } from "../conversations/index.ts";
import { type JobSink, type OutboundRow, submitRows } from "./submit.ts";

/** Bot API: answerCallbackQuery, text 0-200 characters. */
const MAX_CALLBACK_TEXT_LENGTH = 200;

/**
 * Where ingest puts its replies: on the outbound queue, in the transaction of the update they
 * answer. A reply is awaited by a person, so it has high priority and is sent again when nobody
 * knows whether it was.
 */
export function createReplySink({ jobs }: { jobs: JobSink }): ReplySink {
  return (tx, replies) => submitRows(tx, jobs, replies.map(rowOf));
}

function rowOf(reply: Reply): OutboundRow {
  const common = {
    id: randomUUID(),
    workspaceId: reply.workspaceId,
    connectorId: reply.connectorId,
    chatId: reply.chatId,
    priority: "high",
    onUnknown: "resend",
    causeId: reply.causeId,
  } as const;
  if (reply.kind === "callback-answer") {
    return {
      ...common,
      kind: "callback-answer",
      threadId: null,
      callbackQueryId: reply.callbackQueryId,
      text: reply.text.slice(0, MAX_CALLBACK_TEXT_LENGTH).toWellFormed(),
      format: "plain",
      buttons: null,
      replyTo: null,
    };
  }
  return {
    ...common,
    kind: "message",
    threadId: reply.threadId,
    callbackQueryId: null,
    text: reply.text.toWellFormed(),
    format: reply.format,
    buttons: reply.buttons ?? null,
    replyTo: reply.replyToMessageId ?? null,
  };
}
