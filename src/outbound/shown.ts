import {
  type EditedMessage,
  recordOutgoing,
  recordOutgoingEdits,
  type SentMessage,
} from "../conversations/index.ts";
import type { EndedAttempt } from "../jobs/index.ts";
import { systemClock, type Transaction } from "../platform/index.ts";
import { type CarriedOut, recordDeletions } from "./content/index.ts";
import type { SendAttempt } from "./send-attempts.ts";
import { messageIdsOf, messagesOf } from "./send-call.ts";

type Ended = EndedAttempt<SendAttempt>;

/** What of ended attempts is to be seen in conversations. */
export interface Shown {
  sent: SentMessage[];
  edited: EditedMessage[];
  deleted: CarriedOut[];
}

export function shownOf(ends: readonly Ended[]): Shown {
  const isEdit = ({ own }: Ended) => own?.message.content?.type === "edit";
  return {
    sent: ends.filter((end) => !isEdit(end)).flatMap(messagesOfEnd),
    edited: ends.filter(isEdit).flatMap((end) => [...messagesOfEnd(end), ...askedOfEnd(end)]),
    deleted: ends.flatMap(deletionOfEnd),
  };
}

export const isAnythingShown = ({ sent, edited, deleted }: Shown): boolean =>
  sent.length + edited.length + deleted.length > 0;

export async function recordShown(tx: Transaction, shown: Shown): Promise<void> {
  await recordOutgoing(tx, shown.sent);
  await recordOutgoingEdits(tx, shown.edited);
  await recordDeletions(tx, shown.deleted);
}

function messagesOfEnd({ job, own }: Ended): SentMessage[] {
  if (!own?.message.in_conversation) return [];
  const scope = { workspaceId: job.workspaceId, connectorId: job.lane };
  return messagesOf(own.result?.message)
    .filter((message) => messageIdsOf(message).length > 0)
    .map((message) => ({
      ...scope,
      message,
      jobId: job.id,
      isAutomatic: own.message.automatic,
      acceptedAtMs: systemClock(),
    }));
}

/**
 * An edit that is done, though Telegram answered no message: after a first try of which nobody knew,
 * the second is told that nothing is modified. Of a text the message is what was asked for; of a caption
 * nobody here knows the rest.
 */
function askedOfEnd({ job, own }: Ended): EditedMessage[] {
  if (own?.result?.attempt !== "sent" || own.result.message !== null) return [];
  const { target, text, entities, in_conversation } = own.message;
  const business = target?.businessConnectionId;
  const [id, ...others] = target?.ids ?? [];
  const chatId = Number(target?.chatId);
  const isText = target !== null && target.type === null && text !== "";
  if (!in_conversation || !isText || id === undefined || others.length > 0) return [];
  if (Number.isNaN(chatId)) return [];
  const nowS = Math.floor(systemClock() / 1_000);
  const message = {
    message_id: Number(id),
    chat: { id: chatId, type: chatId > 0 ? "private" : "supergroup" },
    date: nowS,
    edit_date: nowS,
    text,
    ...(entities ? { entities } : {}),
    ...(business ? { business_connection_id: business } : {}),
  };
  return [{ workspaceId: job.workspaceId, connectorId: job.lane, message, isAsAsked: true }];
}

function deletionOfEnd({ job, own }: Ended): CarriedOut[] {
  const message = own?.message;
  if (message?.content?.type !== "delete" || own?.result?.attempt !== "sent") return [];
  const { target, target_id: targetId } = message;
  if (target === null || targetId === null) return [];
  return [
    {
      job,
      targetId,
      chatId: target.chatId,
      businessConnectionId: target.businessConnectionId,
      telegramMessageIds: target.ids,
      isVanishing: message.kind === "deletion",
    },
  ];
}
