import { expect, test } from "@jest/globals";
import { adviceFor } from "./failure-advice.ts";
import { refusalOf } from "./refusals.ts";

// As Telegram words them (tdlib/telegram-bot-api, and errors of the core).
test.each([
  ["Bad Request: message is too long", "too-long"],
  ["Bad Request: message caption is too long", "too-long"],
  ["Bad Request: MEDIA_CAPTION_TOO_LONG", "too-long"],
  ["Bad Request: message text is empty", "empty-text"],
  ["Bad Request: text must be non-empty", "empty-text"],
  ["Bad Request: message thread not found", "topic-gone"],
  ["Bad Request: TOPIC_DELETED", "topic-gone"],
  ["Bad Request: TOPIC_CLOSED", "topic-closed"],
  ["Bad Request: BUTTON_DATA_INVALID", "bad-buttons"],
  ["Bad Request: BUTTON_URL_INVALID", "bad-buttons"],
  ["Bad Request: can't parse inline keyboard button: Text buttons are unallowed", "bad-buttons"],
  ["Bad Request: message to edit not found", "message-gone"],
  ["Bad Request: message to delete not found", "message-gone"],
  ["Bad Request: message to copy not found", "message-gone"],
  ["Bad Request: message can't be edited", "message-gone"],
  ["Bad Request: wrong file identifier/HTTP URL specified", "bad-file"],
  ["Bad Request: PHOTO_INVALID_DIMENSIONS", "bad-file"],
  ["Bad Request: IMAGE_PROCESS_FAILED", "bad-file"],
  ["Bad Request: something that nobody has met", "bad-request"],
])("%s is %s, in words, with advice", (description, errorClass) => {
  const refusal = refusalOf(description);
  expect(refusal.errorClass).toBe(errorClass);
  expect(refusal.error).toContain(description);
  expect(adviceFor(errorClass)).toMatch(/\.$/);
});
