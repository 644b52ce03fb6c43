/**
 * What somebody can do about a message that did not go out, by its error class. The words of the
 * error itself say what happened; where there is nothing to do there is no advice.
 */
const ADVICE: Record<string, string> = {
  "chat-not-found": "Check the chat's id; a person must write to the bot first.",
  blocked: "Reach the person in another way; once they unblock the bot, send it again.",
  "not-started": "Ask the person to open the bot and press Start, then send it again.",
  kicked: "Add the bot to the chat again, then send it again.",
  "not-a-member": "Add the bot to the chat, then send it again.",
  deactivated: "Take the chat off your lists: nobody reads there any more.",
  "chat-deleted": "Take the chat off your lists: nobody reads there any more.",
  "no-rights": "Let the bot post there, or make it an administrator, then send it again.",
  forbidden: "Look at the bot's rights in the chat, then send it again.",
  "chat-migrated": "Send it to the group's new id.",
  "topic-closed": "Open the topic again, or send it to another.",
  "topic-gone": "Send it to another topic, or to none.",
  "too-long": "Shorten it.",
  "empty-text": "Give it a text that can be seen.",
  "bad-buttons": "Mend its buttons: a text, and either data of 1 to 64 bytes or a valid address.",
  "bad-entities": "Mend its formatting, or send it as plain text.",
  "bad-file": "Check the file: its kind, its size and whether it can be opened.",
  "file-upload": "Submit it anew when the way to Telegram is better, or with a smaller file.",
  "evidence-file-gone": "Hand the file in again, or leave it out; then submit the message anew.",
  "evidence-file-quarantined": "Leave the file out; then submit the message anew.",
  "evidence-file-not-stored":
    "Wait until the file is stored, or hand it in again; then submit anew.",
  "evidence-file-changed": "Look at the file as it is now; then submit the message anew.",
  "evidence-file-damaged":
    "Hand the same file in again, which mends it, or restore the store; then submit anew.",
  "evidence-file-too-large": "Give the file out in another way, or in smaller ones.",
  "evidence-file-unavailable":
    "Look at the store (STORAGE_URL) and at the log of the outbound process; then submit anew.",
  "message-gone": "The message it is about is gone or too old: send a new one.",
  "target-gone": "Nothing: the message it was about is gone.",
  "target-waits": "Replace or cancel the message that it is about.",
  "target-unknown":
    "Say what became of the message it is about (resolve), or change it in the chat.",
  "target-not-sent": "Nothing: the message it was about was never sent.",
  "target-migrated": "Change it in the chat, or send a new message.",
  "too-old": "Delete it in the chat, or make the bot an administrator there.",
  "bad-request": "Mend what Telegram names, then submit it anew.",
  "query-expired": "Nothing: a button, or a query, can be answered for a short while only.",
  unauthorized: "Replace the bot's token in its connector; what waits then goes on at once.",
  "not-found": "Replace the bot's token in its connector; what waits then goes on at once.",
  sealed: "Put the missing key back into ENCRYPTION_KEYS and restart; what waits then goes on.",
  "connector-removed": "Connect the bot again and submit the message anew.",
  "not-sent": "Nothing: it is tried again until Telegram can be reached.",
  "opted-out": "Nothing: it gets broadcasts again once it allows them (/start).",
  expired: "Submit it anew if it is still to be said; give it more time if it often comes to this.",
  Unknown: "Look in the chat, then say what became of it (resolve): sent, resend or failed.",
  Internal: "Look at its job in the ledger; retry it there once the cause is mended.",
};

/** Null where nothing can be done, or nothing is known of the class. */
export function adviceFor(errorClass: string | null): string | null {
  if (errorClass === null) return null;
  const advice = ADVICE[errorClass];
  if (advice !== undefined) return advice;
  // Whatever kept a file from being downloaded: its error names it.
  return errorClass.startsWith("file-") ? "Look at the file's address, then submit it anew." : null;
}
