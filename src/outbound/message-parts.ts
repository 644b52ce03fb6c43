import type { MessageRow } from "./send-call.ts";
import type { SendResult } from "./send-result.ts";
import { partOf } from "./text/index.ts";

type Parts = Pick<MessageRow, "cuts" | "parts_sent">;

/** How many messages of Telegram's a message is. */
export const partCount = ({ cuts }: Pick<Parts, "cuts">): number => cuts?.length ?? 1;

/** Whether nothing of it remains once what is sent next is sent. */
export const isLastPart = (message: Parts): boolean => message.parts_sent + 1 >= partCount(message);

/**
 * The message as it is sent next: its first part that is not sent yet, or all of it. What it answers
 * goes with the first part, its buttons with the last.
 */
export function nextPart(message: MessageRow): MessageRow {
  const cut = message.cuts?.[message.parts_sent];
  if (cut === undefined) return message;
  const { text, entities } = partOf({ text: message.text, entities: message.entities ?? [] }, cut);
  return {
    ...message,
    text,
    entities: entities.length > 0 ? entities : null,
    reply_to: message.parts_sent === 0 ? message.reply_to : null,
    buttons: isLastPart(message) ? message.buttons : null,
  };
}

/**
 * What a call came to, where its message has parts: one that was sent before the last is no end. The
 * job goes on at once, and spends no attempt on it. What was to be said of an earlier part stays with
 * the message, unless there is something newer.
 */
export function resultOfPart(
  result: SendResult,
  message: Parts & Pick<MessageRow, "note">,
  nowMs: number,
): SendResult {
  const isTold = result.error !== null || result.errorClass !== null;
  const told = isTold ? result : { ...result, error: message.note };
  if (result.attempt !== "sent" || isLastPart(message)) return told;
  return { ...told, outcome: { type: "pause", untilMs: nowMs, reason: "more parts" } };
}

/** Words about a message whose parts did not all go out, for people: which part they are about. */
export function toldOfPart(words: string, message: Parts | undefined): string {
  if (message === undefined || partCount(message) === 1) return words;
  return `Part ${message.parts_sent + 1} of ${partCount(message)}: ${words}`;
}
