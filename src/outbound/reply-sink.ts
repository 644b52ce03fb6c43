import type { Reply, ReplySink } from "../conversations/index.ts";
import type { NewMessage } from "./new-message.ts";
import { type JobSink, submitMessages } from "./submit.ts";

/**
 * Puts ingest's replies on the queue. They are urgent, because a person waits, but for courtesies:
 * thousands of those, after an hour's outage, would keep a command waiting for its answer.
 */
export function createReplySink({ jobs }: { jobs: JobSink }): ReplySink {
  return async (tx, replies) => {
    await submitMessages(tx, jobs, replies.map(messageOfReply));
  };
}

function messageOfReply(reply: Reply): NewMessage {
  const { workspaceId, connectorId, chatId, causeId, text } = reply;
  const where = { workspaceId, connectorId, chatId, causeId };
  const common = { ...where, text, priority: "high" as const, isAutomatic: true };
  if (reply.kind === "callback-answer") {
    return { ...common, callbackQueryId: reply.callbackQueryId };
  }
  if (reply.kind === "inline-answer") return { ...common, ...answerOf(reply) };
  return {
    ...common,
    ...(reply.id === undefined ? {} : { id: reply.id }),
    ...(reply.edits === undefined ? {} : { content: { type: "edit", messageId: reply.edits } }),
    ...(reply.isCourtesy ? { priority: "medium" as const } : {}),
    isAside: reply.isAside,
    threadId: reply.threadId,
    format: reply.format,
    buttons: reply.buttons,
    replyTo: reply.replyToMessageId,
  };
}

/** It goes before everything else, while there is somebody who waits for it. */
function answerOf(answer: Extract<Reply, { kind: "inline-answer" }>) {
  const { inlineQueryId: queryId, results, nextOffset, button, expiresAt } = answer;
  const content = { type: "inline-answer" as const, queryId, results, nextOffset, button };
  return { content, expiresAt, priority: "critical" as const, isAside: true };
}
