/**
 * As SQL: an attempt at the message `m` may have reached Telegram, and nobody knows. Of such a message
 * nobody may say that it was not sent, and nothing else may be put in its place; that it is tried
 * again does not make the first attempt known. An attempt that nobody ended is among them.
 */
export const MAY_BE_SENT = `EXISTS (
  SELECT FROM send_attempts a
  WHERE a.workspace_id = m.workspace_id AND a.message_id = m.id
    AND (a.outcome = 'unknown' OR a.finished_at IS NULL))`;

/** The class of what nobody knows, as messages and their jobs show it. */
export const UNKNOWN = "Unknown";

/** What the message shows that will not be tried again though nobody knows whether it was sent. */
export const unknownWords = (why: string) =>
  `It is not known whether Telegram sent it: an answer was lost, and ${why}.`;
