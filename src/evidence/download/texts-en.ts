import type { Texts } from "./texts.ts";

const SEND_AGAIN = "Please send it again.";

export const TEXTS_EN: Texts = {
  language: "en",
  uploaded: "Uploaded",
  notAccepted: "Not accepted",
  isNotAccepted: "not accepted",
  ofFiles: (stored, all) => `${stored} of ${all} ${all === 1 ? "file" : "files"}`,
  size: "Size",
  evidence: "Evidence",
  faults: {
    "rate-limited": `Telegram asked to wait for too long. ${SEND_AGAIN}`,
    "telegram-away": `Telegram could not be reached. ${SEND_AGAIN}`,
    "token-refused": "Telegram refuses the bot's token, so the file could not be fetched.",
    "connector-removed": "The bot was disconnected before the file was fetched.",
    "broken-off": `The connection to Telegram broke off again and again. ${SEND_AGAIN}`,
    changed: `Telegram gave another size than it had said, several times: nothing of it was stored. ${SEND_AGAIN}`,
    "not-there": `Telegram does not have the file any more. ${SEND_AGAIN}`,
    "too-large-for-bots":
      "Telegram gives bots files of up to 20 MB only. Please send a smaller file, or hand this one to the team in another way.",
    unreadable:
      "The file lies at the Bot API server, where it cannot be read: its folder must be readable here.",
    "store-away": "The store could not take it. It can be fetched again once the store is well.",
    "disk-full": "There was no room for it. It can be fetched again once there is.",
    "in-use": `It could not be fetched. ${SEND_AGAIN}`,
    "scanner-away":
      "The virus scanner did not answer, and nothing is stored unscanned. It can be fetched again once it does.",
    "scanner-refused": "The virus scanner could not look at it, and nothing is stored unscanned.",
    "too-large": "It is larger than what is taken here. Please send a smaller file.",
    empty: "The file is empty. Please look at it, and send it again.",
    "type-not-taken": "Files of this type are not taken here, whatever their names say.",
    stopped: SEND_AGAIN,
    gone: "It is not wanted any more.",
    unknown: `It could not be fetched. ${SEND_AGAIN}`,
    harmful: "The virus scanner found it to be harmful. It is kept apart, and nobody is given it.",
    "given-up":
      "It was given up by hand before it was fetched. Please send it again if it is still wanted.",
    "content-gone": `Its content was removed before it was noted. ${SEND_AGAIN}`,
  },
  tooLarge: (most) =>
    `It is larger than the ${most} that are taken here. Please send a smaller file.`,
  typeNotTaken: (contentType) =>
    `Files of this type (${contentType}) are not taken here, whatever their names say.`,
  harmful: (finding) =>
    `The virus scanner found it to be harmful (${finding}). It is kept apart, and nobody is given it.`,
};
