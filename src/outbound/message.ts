import type { JobId } from "../jobs/index.ts";
import { Problem, type ProblemField } from "../platform/index.ts";

export const MESSAGE_FORMATS = ["plain", "html", "markdown"] as const;
export type MessageFormat = (typeof MESSAGE_FORMATS)[number];

export const MESSAGE_PRIORITIES = ["critical", "high", "medium", "low"] as const;
export type MessagePriority = (typeof MESSAGE_PRIORITIES)[number];

/** What to do when nobody knows whether it was sent: Telegram has no idempotency key. */
export const ON_UNKNOWN = ["resend", "hold"] as const;
export type OnUnknown = (typeof ON_UNKNOWN)[number];

export const MESSAGE_STATES = [
  "queued",
  "sending",
  "sent",
  "unknown",
  "failed",
  "cancelled",
] as const;
export type MessageState = (typeof MESSAGE_STATES)[number];

/** A button under a message (Bot API: InlineKeyboardButton): comes back as `data`, or opens `url`. */
export type MessageButton = { text: string; data: string } | { text: string; url: string };

/** A message to be sent. Ids of Telegram are decimal strings; a channel may go by `@name`. */
export interface NewMessage {
  workspaceId: string;
  connectorId: string;
  chatId: string;
  text: string;
  /** Default plain; markdown is Telegram's MarkdownV2. */
  format?: MessageFormat;
  /** Default medium. */
  priority?: MessagePriority;
  /** Not before this time. */
  sendAt?: Date;
  threadId?: string | null;
  /** Telegram's id of the message that is answered; if it is gone, this one is sent all the same. */
  replyTo?: string;
  /** Rows of buttons. */
  buttons?: MessageButton[][];
  /** Default: resend for critical and high, hold otherwise. */
  onUnknown?: OnUnknown;
  causeId?: JobId;
}

/** Places in the queue: 0 goes first. Answers to buttons go before everything, at 0. */
export const JOB_PRIORITY: Record<MessagePriority, number> = {
  critical: 0,
  high: 2,
  medium: 5,
  low: 8,
};

export function defaultOnUnknown(priority: MessagePriority): OnUnknown {
  return priority === "critical" || priority === "high" ? "resend" : "hold";
}

/** Bot API: sendMessage, "1-4096 characters after entities parsing", counted in UTF-16 units. */
const MAX_TEXT_LENGTH = 4096;
/** Markup does not count at Telegram; what is far beyond could not be sent anyway. */
const MAX_MARKED_UP_LENGTH = 16_384;
const MAX_BUTTONS = 100;
const MAX_BUTTON_TEXT_LENGTH = 64;
/** Bot API: InlineKeyboardButton.callback_data, 1-64 bytes. */
const MAX_BUTTON_DATA_BYTES = 64;
const MAX_URL_LENGTH = 2048;

const CHAT_ID = /^(-?[0-9]{1,16}|@[A-Za-z][A-Za-z0-9_]{3,63})$/;
const MESSAGE_ID = /^[0-9]{1,16}$/;

/** What is wrong with a message before Telegram is asked; empty when nothing is. */
export function faultsOf(message: NewMessage): ProblemField[] {
  const faults: ProblemField[] = [];
  const fault = (path: string, text: string) => void faults.push({ path, message: text });
  const { chatId, text, format = "plain", threadId, replyTo } = message;

  if (!CHAT_ID.test(chatId)) fault("chatId", "must be a chat's id, or a channel's @name");
  if (text.trim() === "") fault("text", "must not be empty");
  if (text.includes("\0")) fault("text", "must not contain NUL");
  if (!text.isWellFormed()) fault("text", "must be well-formed Unicode");
  if (format === "plain" && text.length > MAX_TEXT_LENGTH) {
    fault("text", `has ${text.length} characters (UTF-16); Telegram takes ${MAX_TEXT_LENGTH}`);
  }
  if (format !== "plain" && text.length > MAX_MARKED_UP_LENGTH) {
    fault("text", `has ${text.length} characters with its markup; at most ${MAX_MARKED_UP_LENGTH}`);
  }
  if (typeof threadId === "string" && !MESSAGE_ID.test(threadId)) {
    fault("threadId", "must be a decimal id");
  }
  if (replyTo !== undefined && !MESSAGE_ID.test(replyTo)) {
    fault("replyTo", "must be a decimal id");
  }
  faultsOfButtons(message.buttons ?? [], fault);
  return faults;
}

function faultsOfButtons(
  rows: MessageButton[][],
  fault: (path: string, text: string) => void,
): void {
  const count = rows.reduce((sum, row) => sum + row.length, 0);
  if (count > MAX_BUTTONS) fault("buttons", `has ${count} buttons; at most ${MAX_BUTTONS}`);
  for (const [rowIndex, row] of rows.entries()) {
    for (const [index, button] of row.entries()) {
      const path = `buttons.${rowIndex}.${index}`;
      const { length } = button.text;
      if (length < 1 || length > MAX_BUTTON_TEXT_LENGTH || button.text.includes("\0")) {
        fault(`${path}.text`, `must have 1 to ${MAX_BUTTON_TEXT_LENGTH} characters`);
      }
      if ("data" in button) {
        const bytes = Buffer.byteLength(button.data);
        if (bytes < 1 || bytes > MAX_BUTTON_DATA_BYTES || button.data.includes("\0")) {
          fault(`${path}.data`, `must have 1 to ${MAX_BUTTON_DATA_BYTES} bytes`);
        }
      } else if (!/^(https?|tg):\/\/\S+$/.test(button.url) || button.url.length > MAX_URL_LENGTH) {
        fault(`${path}.url`, "must be an http, https or tg address");
      }
    }
  }
}

/** Throws a `Problem` 422 that names everything wrong with `message`. */
export function checkMessage(message: NewMessage): void {
  const errors = faultsOf(message);
  if (errors.length === 0) return;
  const detail = `The message cannot be sent as it is: ${errors[0]?.path} ${errors[0]?.message}.`;
  throw new Problem(422, "Message refused", detail, { errors });
}
