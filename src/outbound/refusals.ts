/** What Telegram refuses for a reason that people can mend, told by its words (Bot API: error texts). */
const REFUSALS: Array<[RegExp, errorClass: string, words: string]> = [
  [
    /is too long|MESSAGE_TOO_LONG|CAPTION_TOO_LONG/i,
    "too-long",
    "It is longer than Telegram takes.",
  ],
  [
    /text is empty|must be non-empty|MESSAGE_EMPTY/i,
    "empty-text",
    "Nothing of its text can be seen, and Telegram sends no empty message.",
  ],
  [/TOPIC_CLOSED/i, "topic-closed", "The topic it is for is closed."],
  [
    /thread not found|TOPIC_(DELETED|ID_INVALID)/i,
    "topic-gone",
    "The topic it is for does not exist any more.",
  ],
  [
    /BUTTON_[A-Z_]*INVALID|inline keyboard|reply markup|REPLY_MARKUP/i,
    "bad-buttons",
    "Telegram does not take its buttons.",
  ],
  [
    /message to (be )?(edit|delete|forward|cop|pin)\w* not found|message can't be (edited|deleted|forwarded|copied)|MESSAGE_ID_INVALID/i,
    "message-gone",
    "The message it is about is gone, or too old to be changed.",
  ],
  [
    /file identifier|file is too big|PHOTO_[A-Z_]*|IMAGE_PROCESS_FAILED|wrong type of the web page|file must be non-empty|DOCUMENT_INVALID/i,
    "bad-file",
    "Telegram does not take its file.",
  ],
];

export interface Refusal {
  errorClass: string;
  error: string;
}

/**
 * `description`: Telegram's words without what they quote. What is not known here is refused as
 * `bad-request`, in Telegram's own words.
 */
export function refusalOf(description: string): Refusal {
  const known = REFUSALS.find(([pattern]) => pattern.test(description));
  if (known === undefined) {
    return { errorClass: "bad-request", error: `Telegram refuses the message: ${description}` };
  }
  const [, errorClass, words] = known;
  return { errorClass, error: `${words} (Telegram: ${description})` };
}
